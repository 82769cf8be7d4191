# What there is to run. `make help` lists it; docs/building.md explains it.
#
#	TENSORFLOW_ROOT=DIR  use an installed libtensorflow (DIR/lib, DIR/include) instead of fetching one
#	VARIANT=gpu          fetch the CUDA build (docs/gpu.md)
#	TAGS=tfgo            build on github.com/galeone/tfgo (docs/tfgo.md)
#	PYTHON=FILE          a Python that has scripts/requirements.txt, for parity and bench
#	TESTFLAGS, BENCH, FUZZTIME

GO        ?= go
TESTFLAGS ?=
BENCH     ?= .
FUZZTIME  ?= 20s
TAGS      ?=

CACHE  := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/cambium
VENV   := $(CACHE)/python
MODULE := github.com/cambium-go/cambium

# Commands after this see the C library: it sets CGO_CFLAGS and CGO_LDFLAGS.
TENSORFLOW = flags="$$($(GO) run ./scripts/libtensorflow env)" && eval "$$flags" &&

# The packages whose tests link TensorFlow, and those without. The others are the same in every build.
WITH_C     = $(GO) list -test -f '{{.ImportPath}}{{range .Deps}} {{.}}{{end}} .' ./... | sed -n 's|^\([^ ]*\)\.test .* github.com/wamuir/graft/tensorflow .*|\1|p'
WITHOUT_C  = $(GO) list -f '{{.ImportPath}}{{range .Deps}} {{.}}{{end}} .' ./... | grep -v ' github.com/wamuir/graft/tensorflow ' | cut -d' ' -f1

.PHONY: run
run: build ## read twenty handwritten digits with a model that Keras trained
	@$(TENSORFLOW) $(GO) run -tags '$(TAGS)' ./scripts/demo

.PHONY: finetune-demo
finetune-demo: build ## teach a network of the digits 0-4 the digits 5-9, from 50 images each
	@bin/finetune --base scripts/testdata/digits_base/base.keras --data scripts/testdata/digits_base --out out/digits \
	  --augment rotation=0.04,zoom=0.1,translation=0.07 --augment-variants 32
	@echo 'Next: bin/infer show out/digits/saved_model; or a head on your own photographs, a folder with one folder a class:'
	@echo '      bin/finetune --base MODEL --data FOLDER --out DIR'

.PHONY: build
build: libtensorflow ## build bin/infer and bin/finetune
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build -tags '$(TAGS)' -o bin/ ./cmd/...
	$(TENSORFLOW) for command in cmd/*; do $(GO) build -tags '$(TAGS)' -o "bin/$${command#cmd/}-tensorflow" "./$$command" || exit 1; done

.PHONY: libtensorflow
libtensorflow: ## fetch TensorFlow's C library into the user's cache (once)
	@$(GO) run ./scripts/libtensorflow install

.PHONY: env
env: ## print what your own `go build` needs: eval "$(make -s env)"
	@$(GO) run ./scripts/libtensorflow install
	@$(GO) run ./scripts/libtensorflow env

.PHONY: test
test: vet test-tensorflow test-tfgo test-native test-cross test-race ## everything that needs only Go, a C compiler and pip

.PHONY: vet
vet: libtensorflow
	$(TENSORFLOW) $(GO) vet ./... && $(GO) vet -tags tfgo ./...
	CGO_ENABLED=0 $(GO) vet ./...

.PHONY: test-tensorflow
test-tensorflow: libtensorflow
	$(TENSORFLOW) packages="$$($(WITH_C))" && test -n "$$packages" && \
	$(GO) test $(TESTFLAGS) $$packages

.PHONY: test-tfgo
test-tfgo: libtensorflow
	$(TENSORFLOW) packages="$$($(WITH_C))" && test -n "$$packages" && \
	$(GO) test $(TESTFLAGS) -tags tfgo $$packages

.PHONY: test-native
test-native:
	CGO_ENABLED=0 $(GO) test $(TESTFLAGS) ./...

.PHONY: test-cross
test-cross: # for another processor everything compiles, its tests too, and the tools ask for no dynamic loader
	CGO_ENABLED=0 GOARCH=arm64 $(GO) vet ./...
	@mkdir -p '$(CACHE)/cross' && CGO_ENABLED=0 GOARCH=arm64 $(GO) build -o '$(CACHE)/cross/' ./cmd/... && \
	for tool in '$(CACHE)'/cross/*; do ! grep -q /ld-linux "$$tool" || { echo "$$tool is not static" >&2; exit 1; }; done

.PHONY: test-race
test-race: libtensorflow # TensorFlow's own threads are opaque to the race detector; -short: what one goroutine does many times has no races
	$(TENSORFLOW) packages="$$($(WITHOUT_C))" && test -n "$$packages" && \
	$(GO) test $(TESTFLAGS) -race -short $$packages

.PHONY: corpus
corpus: libtensorflow ## the tests that read public models, in CAMBIUM_CORPUS and CAMBIUM_DATA
	@test -n "$$CAMBIUM_CORPUS$$CAMBIUM_DATA" || { echo 'corpus: set CAMBIUM_CORPUS or CAMBIUM_DATA to a folder' >&2; exit 1; }
	$(TENSORFLOW) packages="$$(grep -rl --include='*_test.go' -e CAMBIUM_CORPUS -e CAMBIUM_DATA . | xargs -n1 dirname | sort -u)" && \
	$(GO) test $(TESTFLAGS) $$packages && \
	$(GO) test $(TESTFLAGS) -tags tfgo $$packages && \
	CGO_ENABLED=0 $(GO) test $(TESTFLAGS) $$packages

.PHONY: lint
LINT_VERSION := 2.15.0
LINT_DIR     := $(CACHE)/golangci-lint-$(LINT_VERSION)
lint: libtensorflow ## golangci-lint, in each build
	@test -x '$(LINT_DIR)/golangci-lint' || GOBIN='$(LINT_DIR)' $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$(LINT_VERSION)
	$(TENSORFLOW) '$(LINT_DIR)/golangci-lint' run && '$(LINT_DIR)/golangci-lint' run --build-tags tfgo
	CGO_ENABLED=0 '$(LINT_DIR)/golangci-lint' run

# Python with TensorFlow and Keras, only to compare with. PYTHON names another.
ifndef PYTHON
PYTHON := $(VENV)/bin/python
python: $(VENV)/requirements.txt
endif
.PHONY: python
python: ## make the Python environment for parity (once)

$(VENV)/requirements.txt: scripts/requirements.txt
	@cmp -s '$<' '$@' || { rm -f '$@' && $$(./scripts/find-python) -m venv --clear '$(VENV)' && \
	  '$(VENV)/bin/python' -m pip install --disable-pip-version-check --quiet --no-deps -r '$<'; }
	@cp '$<' '$@'

.PHONY: parity
parity: build python ## compare with live TensorFlow and Keras sessions: scripts/parity_*.py
	@$(TENSORFLOW) printf '%s\n' scripts/parity_*.py | PYTHON='$(PYTHON)' xargs -n 1 -P 2 ./scripts/parity

.PHONY: parity-all
parity-all: export PARITY := all
parity-all: parity ## the same, over everything they can generate (PARITY=all)

.PHONY: bench
bench: build python ## timings, side by side with Python where that has the same: scripts/bench_*.py
	$(TENSORFLOW) $(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./...
	@$(TENSORFLOW) status=0; for script in scripts/bench_*.py; do echo "$$script"; '$(PYTHON)' "$$script" || status=1; done; exit $$status

.PHONY: fuzz
fuzz: libtensorflow ## each fuzz target for FUZZTIME
	@$(TENSORFLOW) grep -rnoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | while IFS=: read -r file _ target; do \
	  target="$${target#func }"; echo "$$target ($$file)"; \
	  $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$(dirname "$$file")" || exit 1; done

.PHONY: clean
clean: ## remove bin/; the cache ($XDG_CACHE_HOME/cambium) stays
	rm -rf bin

.PHONY: help
help: ## this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "  make %-15s %s\n", $$1, $$2}'
