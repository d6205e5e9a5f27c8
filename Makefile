# Everything sets up what it needs in .venv: nothing has to be typed before.
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

# For Telegraf on this computer, as root; docs/install.md says what goes where. Behind it, as you like: SOURCE= where the meter
# is, EXTRAS= (crypto,ws,discover), prefix= (/opt), PYTHON= (/usr/bin/python3), and DESTDIR= for a package.
install uninstall:
	@scripts/install $@

# What a release publishes, in dist: the sdist, the wheel that is built from it, and the .deb. In the latter two the files
# have the day of the release as their time, so that the same source gives the same bytes.
dist: export SOURCE_DATE_EPOCH ?= $(shell $(PYTHON) scripts/release.py epoch)
dist: $(VENV)/.dev
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	$(MAKE) --no-print-directory deb

deb: $(VENV)/.installed
	$(BIN)/python scripts/make-deb dist

# The wheel in dist, by the tests of the sdist beside it, on the Python that you name.
test-wheel:
	PYTHON=$(PYTHON) scripts/test-wheel dist

# Everything that can run here: first what needs no other program, on all cores, then what waits for programs, two at a time,
# then what measures how quick they are, alone.
# make test PYTEST="tests/test_crc.py -x" runs what you name. FLOOR is the coverage in percent below which it fails: .ci/run,
# where everything is installed, sets it. Without it nothing is measured, which takes half of the time again.
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

# The documentation as a site, in build/site; a broken link or a page that the menu lacks is an error.
# make site SERVE=127.0.0.1:8000 shows it, and what is changed meanwhile.
site: export NO_MKDOCS_2_WARNING := 1
site: $(VENV)/.dev
	$(BIN)/mkdocs $(if $(SERVE),serve --dev-addr $(SERVE),build)

# docs/performance.md: the program as users have it, and its peers. Ten minutes. Where the
# package's source is not at hand what `python -m telegraf_p1` starts is what is installed, and compiled.
BENCH := build/bench/venv/bin/python
bench:
	PYTHON=$(PYTHON) scripts/install-peers
	$(BENCH) -m benchmarks.frames
	$(BENCH) -m benchmarks.file
	$(BENCH) -m benchmarks.garbage
	cd build/bench && venv/bin/python ../../benchmarks/process.py >serial.txt
	cd build/bench && venv/bin/python ../../benchmarks/many_meters.py >mqtt.txt
	$(BENCH) scripts/write-performance

# What each panel takes with a telegram a second behind it: a year of them, which are loaded once and kept (half an hour).
bench-dashboards: DAYS ?= 365
bench-dashboards: $(VENV)/.test
	P1_GRAFANA=$${P1_GRAFANA:-$$(scripts/install-grafana-data)} $(BIN)/python -m benchmarks.dashboards --days $(DAYS)

# docs/scale.md: 10,000 meters through brokers to plugins, and what comes behind. Twenty minutes on two cores that have nothing else
# to do. What build/district has is not measured again: AGAIN=--again does it all, ROWS="kafka" what has this in its name.
district: $(VENV)/.test
	P1_TELEGRAF=$${P1_TELEGRAF:-$$(scripts/build-telegraf)} P1_INFLUXDB2=$${P1_INFLUXDB2:-$$(scripts/build-influxdb2)} \
		P1_KAFKA=$${P1_KAFKA:-$$(scripts/get-kafka)} $(BIN)/python -m benchmarks.district $(AGAIN) $(ROWS)
	$(BIN)/python scripts/write-scale build/district

# Ten million damaged telegrams: about half an hour on two cores.
fuzz: $(VENV)/.test
	$(BIN)/python -m tests.fuzz 10000000

# The matrix of docs/reliability.md, with faults that last as long as in a house: 15 minutes, most of them waiting.
faults: $(VENV)/.test
	@mkdir -p build
	@rm -f build/faults
	P1_FAULTS=full P1_FAULTS_RESULTS=build/faults $(BIN)/python -m pytest -n 4 --dist worksteal tests/faults
	$(BIN)/python scripts/write-reliability build/faults

# The same path, the envelopes and the URLs, led by coverage. Needs Linux on x86-64: 35 MB, for these alone.
atheris: MINUTES ?= 5
atheris: $(VENV)/.atheris
	for target in path envelope url; do $(BIN)/python -m tests.fuzz_atheris $$target $(MINUTES) || exit; done

# A cable and a bridge, with damage and outages: an hour is 40 days of meter time.
soak: MINUTES ?= 60
soak: $(VENV)/.test
	$(BIN)/python -m tests.soak $(MINUTES)

# Changes of the program that no test notices: half an hour on one core.
mutants: $(VENV)/.mutants
	$(BIN)/mutmut run
	$(BIN)/mutmut results

# The JSON in dashboards/, from its source.
dashboards: $(VENV)/.test
	$(BIN)/python -m dashboards.source

# build/pictures: the dashboards as people see them, drawn from the answers of real databases. Needs Node.js, Chromium, influxd and
# VictoriaMetrics. make pictures ONLY="belgium phone-390" draws what you name.
pictures: $(VENV)/.test
	P1_GRAFANA=$$(scripts/install-grafana-data) P1_GRAFANA_UI=$$(scripts/install-grafana-data pictures) \
		$(BIN)/python -m tests.pictures build/pictures $(ONLY)

# build/pictures/DATABASE-dark-1600.png: the dashboard of an InfluxDB 1, without a Grafana. It needs what `pictures` needs but VictoriaMetrics.
picture: FROM ?= http://127.0.0.1:18086
picture: DATABASE ?= p1
picture: $(VENV)/.test
	@P1_GRAFANA=$$(scripts/install-grafana-data) P1_GRAFANA_UI=$$(scripts/install-grafana-data pictures) \
		$(BIN)/python -m tests.pictures build/pictures --from $(FROM) --database $(DATABASE)

# docs/commands.md, the man page and the completions in deploy from the parser; docs/fields.md and the table of docs/meters.md from
# the table and the countries.
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
