# Every target installs what it needs into .venv: no other command is needed first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo stack cloud site install uninstall dist deb test-wheel test check bench bench-dashboards district fuzz atheris soak faults mutants dashboards picture pictures docs clean

demo: $(VENV)/.installed
	@scripts/demo $(BIN)/telegraf-p1

stack: $(VENV)/.installed
	@scripts/stack $(BIN)/telegraf-p1

# The cloud service of docs/cloud.md with three households, until Ctrl-C: the real programs, without containers.
cloud: $(VENV)/.test
	@$(BIN)/python scripts/cloud

# For Telegraf on this computer, as root; docs/install.md says what goes where. Optional variables: SOURCE= (where the
# meter is), EXTRAS= (crypto,ws,discover), prefix= (/opt), PYTHON= (/usr/bin/python3), and DESTDIR= for a package.
install uninstall:
	@scripts/install $@

# What a release publishes, in dist: the sdist, the wheel that is built from it, and the .deb. In the latter two, the
# time of all files is the day of the release, so that the same source gives the same bytes.
dist: export SOURCE_DATE_EPOCH ?= $(shell $(PYTHON) scripts/release.py epoch)
dist: $(VENV)/.dev
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	$(MAKE) --no-print-directory deb

deb: $(VENV)/.installed
	$(BIN)/python scripts/make-deb dist

# Tests the wheel in dist with the tests of the sdist beside it, on the Python that you name.
test-wheel:
	PYTHON=$(PYTHON) scripts/test-wheel dist

# All tests that can run here: first those that need no other program, on all cores; then those that wait for programs,
# two at a time; then those that measure times, one by one.
# make test PYTEST="tests/test_crc.py -x" runs what you name. FLOOR is the least coverage in percent: .ci/run sets it,
# since it has everything installed. Without it, coverage is not measured, which saves a third of the time.
COVER := $(if $(FLOOR),--cov --cov-report=)
test: $(VENV)/.test
ifdef PYTEST
	$(BIN)/python -m pytest $(PYTEST)
else
	$(BIN)/python -m pytest -n auto -m "not integration" $(COVER)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m sharing $(COVER) $(if $(FLOOR),--cov-append)
	$(BIN)/python -m pytest -m "integration and not sharing" $(if $(FLOOR),--cov --cov-append --cov-fail-under=$(FLOOR))
endif

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec deploy/compose*.yaml deploy/cloud/compose.yaml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-issue-forms $(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.citation-file-format CITATION.cff
	$(BIN)/hadolint deploy/Containerfile
	@$(MAKE) --no-print-directory site

# The documentation as a site, in build/site; a broken link, or a page that is not in the menu, is an error.
# make site SERVE=127.0.0.1:8000 serves it and follows changes.
site: export NO_MKDOCS_2_WARNING := 1
site: $(VENV)/.dev
	$(BIN)/mkdocs $(if $(SERVE),serve --dev-addr $(SERVE),build)

# docs/performance.md: the program as users have it, and its peers. Ten minutes. Some benchmarks run in build/bench,
# away from the source, so that `telegraf_p1` is the installed and compiled package.
BENCH := build/bench/venv/bin/python
bench:
	PYTHON=$(PYTHON) scripts/install-peers
	$(BENCH) -m benchmarks.frames
	$(BENCH) -m benchmarks.file
	$(BENCH) -m benchmarks.garbage
	cd build/bench && venv/bin/python ../../benchmarks/process.py >serial.txt
	cd build/bench && venv/bin/python ../../benchmarks/many_meters.py >mqtt.txt
	$(BENCH) scripts/write-performance

# How long each panel takes with a year of telegrams, one per second. They are loaded once and kept (half an hour).
bench-dashboards: DAYS ?= 365
bench-dashboards: $(VENV)/.test
	P1_GRAFANA=$${P1_GRAFANA:-$$(scripts/install-grafana-data)} $(BIN)/python -m benchmarks.dashboards --days $(DAYS)

# docs/scale.md: 10,000 meters through brokers to plugins, and the databases behind them. Twenty minutes on two idle
# cores. Results in build/district are kept: AGAIN=--again measures all again, ROWS="kafka" only what is named so.
district: $(VENV)/.test
	P1_TELEGRAF=$${P1_TELEGRAF:-$$(scripts/build-telegraf)} P1_INFLUXDB2=$${P1_INFLUXDB2:-$$(scripts/build-influxdb2)} \
		P1_KAFKA=$${P1_KAFKA:-$$(scripts/get-kafka)} $(BIN)/python -m benchmarks.district $(AGAIN) $(ROWS)
	$(BIN)/python scripts/write-scale build/district

# Ten million damaged telegrams: about half an hour on two cores.
fuzz: $(VENV)/.test
	$(BIN)/python -m tests.fuzz 10000000

# The matrix of docs/reliability.md, with faults that last as long as in real life: 15 minutes, mostly waiting.
faults: $(VENV)/.test
	@mkdir -p build
	@rm -f build/faults
	P1_FAULTS=full P1_FAULTS_RESULTS=build/faults $(BIN)/python -m pytest -n 4 --dist worksteal tests/faults
	$(BIN)/python scripts/write-reliability build/faults

# Fuzzes the same path, the envelopes and the URLs, guided by coverage. Needs Linux on x86-64, and 35 MB only for this.
atheris: MINUTES ?= 5
atheris: $(VENV)/.atheris
	for target in path envelope url; do $(BIN)/python -m tests.fuzz_atheris $$target $(MINUTES) || exit; done

# A cable and a bridge with damage and outages: an hour simulates 40 days.
soak: MINUTES ?= 60
soak: $(VENV)/.test
	$(BIN)/python -m tests.soak $(MINUTES)

# Finds changes of the program that no test notices: half an hour on one core.
mutants: $(VENV)/.mutants
	$(BIN)/mutmut run
	$(BIN)/mutmut results

# Writes the JSON in dashboards/ from its source.
dashboards: $(VENV)/.test
	$(BIN)/python -m dashboards.source

DRAW := $(BIN)/python -m tests.pictures build/pictures
WITH_GRAFANA := grafana=$$(scripts/install-grafana-data) && ui=$$(scripts/install-grafana-data pictures) && \
	P1_GRAFANA=$$grafana P1_GRAFANA_UI=$$ui

# build/pictures: the dashboards as people see them, drawn from real databases. Needs Node.js 20, Chromium, influxd and
# VictoriaMetrics. make pictures ONLY="belgium phone-390" draws what you name.
pictures: $(VENV)/.test
	@$(DRAW) --check
	$(WITH_GRAFANA) $(DRAW) $(ONLY)

# build/pictures/DATABASE-dark-1600.png: the dashboard of an InfluxDB 1, without Grafana. Needs the same as `pictures`
# except VictoriaMetrics. Days begin in the time zone of this computer, or in ZONE, such as Europe/Brussels.
picture: FROM ?= http://127.0.0.1:18086
picture: DATABASE ?= p1
picture: OF = --from $(FROM) --database $(DATABASE) --zone "$(ZONE)"
picture: $(VENV)/.test
	@$(DRAW) $(OF) --check
	@$(WITH_GRAFANA) $(DRAW) $(OF)

# Writes docs/commands.md, the man page and the completions in deploy from the parser, docs/fields.md from the table of
# fields, and the sections of docs/meters.md from the countries.
docs: $(VENV)/.test
	$(BIN)/python scripts/write-docs

clean:
	rm -rf $(VENV) build dist mutants *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.test $(VENV)/.dev $(VENV)/.atheris $(VENV)/.mutants: $(VENV)/.%: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@
