"""Telegrams that go on as they came: to a broker, by way of the disk while it is away."""
