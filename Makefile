# make help lists the targets.

GOLANGCI_LINT := v2.15.0
NFPM          := v2.43.4

TAGS    := urfave_cli_no_docs
VERSION ?= $(patsubst v%,%,$(shell git describe --tags --match 'v*' --dirty 2>/dev/null || \
             echo 0.0.0-dev.g$$(git rev-parse --short HEAD 2>/dev/null)))
GOOS    := $(shell go env GOOS)
GOARCH  := $(shell go env GOARCH)
EXE     := $(shell go env GOEXE)
RELEASE := -trimpath -buildvcs=false -tags $(TAGS) -ldflags "-s -w -X main.version=$(VERSION)"

PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
FUZZTIME  ?= 10s

export CGO_ENABLED ?= 0

.DEFAULT_GOAL := help
.PHONY: help test conformance race fuzz lint build cross dist bench generate clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

test: ## go vet and all tests
	go vet -tags $(TAGS) ./...
	go test -tags $(TAGS) ./...

conformance: ## zlint and a NATS server judge what keyward makes; a module of its own
	cd internal/conformance && go vet ./... && go test ./...

# The packages that have goroutines or locks. Of cmd the scripts that do several things at once, of sqlstore the law on SQLite: the
# rest starts other programs, or waits for them, as the benchmark does. keys/seal has them in a test alone.
race: ## the tests under the race detector; needs a C compiler
	CGO_ENABLED=1 go test -race -tags $(TAGS) $$(go list -f '{{.Dir}}' ./... | grep -v -e /cmd$$ -e /sqlstore$$ -e /bench$$ -e /seal$$ | \
		while read -r dir; do ! grep -qE 'go func|\.Go\(|sync\.|atomic\.' "$$dir"/*.go || echo "$$dir"; done)
	CGO_ENABLED=1 go test -race -tags $(TAGS) -run 'TestStore$$|Cache|Gather|SameLogin' ./store/sqlstore
	CGO_ENABLED=1 go test -race -tags $(TAGS) -run TestScripts ./cmd

# go test -list prints a package's targets, then a line "ok PACKAGE ...".
fuzz: ## each fuzz target for FUZZTIME (10s)
	@list=$$(go test -tags $(TAGS) -list '^Fuzz' ./...) || { echo "$$list"; exit 1; }; \
	n=0; targets=$$(echo "$$list" | awk '/^Fuzz/{f[++n]=$$1} /^ok/{while(n) print $$2 ":" f[n--]}'); \
	for t in $$targets; do \
		echo "$$t"; n=$$((n+1)); \
		go test -tags $(TAGS) -run '^$$' -fuzz "^$${t#*:}$$" -fuzztime $(FUZZTIME) "$${t%%:*}" || exit 1; \
	done; \
	echo "$$n fuzz targets"; test $$n -gt 0

lint: bin/golangci-lint-$(GOLANGCI_LINT) ## golangci-lint, the pinned version (built the first time: minutes)
	$< run

build: ## bin/keyward and bin/keyward-bus
	go build $(RELEASE) -o bin/keyward$(EXE) ./cmd/keyward
	go build $(RELEASE) -o bin/keyward-bus$(EXE) ./cmd/keyward-bus

cross: ## compile for every platform of a release
	@for p in $(PLATFORMS); do \
		echo "$$p"; GOOS=$${p%/*} GOARCH=$${p#*/} go build $(RELEASE) -o /dev/null ./... || exit 1; \
	done

# What goreleaser.yaml makes, for this platform. Times are the commit's, so that the same
# commit gives the same files.
NAME  := keyward_$(VERSION)_$(GOOS)_$(GOARCH)
TAR   := $(shell command -v gtar || echo tar)
SHA   := $(shell command -v sha256sum || echo shasum -a 256)
EPOCH := $(shell git log -1 --format=%ct 2>/dev/null || echo 0)

dist: bin/nfpm-$(NFPM) ## a release of this platform in dist/: archive, packages, SBOM, checksums
	rm -rf dist
	mkdir -p dist/$(NAME)/man dist/$(NAME)/completions
	go build $(RELEASE) -o dist/$(NAME)/keyward$(EXE) ./cmd/keyward
	go build $(RELEASE) -o dist/$(NAME)/keyward-bus$(EXE) ./cmd/keyward-bus
	cp LICENSE README.md CHANGELOG.md dist/$(NAME)
	cp man/*.[18] dist/$(NAME)/man
	cp completions/keyward* dist/$(NAME)/completions
	$(TAR) -C dist --sort=name --mtime=@$(EPOCH) --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX \
		-cf - $(NAME) | gzip -9n >dist/$(NAME).tar.gz
	go run ./internal/sbom $(VERSION) dist/$(NAME)/keyward$(EXE) dist/$(NAME).cdx.json
	go run ./internal/sbom $(VERSION) dist/$(NAME)/keyward-bus$(EXE) dist/$(subst keyward_,keyward-bus_,$(NAME)).cdx.json
ifeq ($(GOOS),linux)
	{ printf 'name: keyward\nversion: %s\narch: %s\n' $(VERSION) $(GOARCH); \
	  sed '1,/to its end .make dist/d; s/^    //' goreleaser.yaml; \
	  printf '  - { src: dist/$(NAME)/%s, dst: /usr/bin/, file_info: { mode: 0755 } }\n' keyward keyward-bus; } >dist/$(NAME)/nfpm.yaml
	SOURCE_DATE_EPOCH=$(EPOCH) $< package -f dist/$(NAME)/nfpm.yaml -p deb -t dist
	SOURCE_DATE_EPOCH=$(EPOCH) $< package -f dist/$(NAME)/nfpm.yaml -p rpm -t dist
endif
	rm -rf dist/$(NAME)
	cd dist && $(SHA) * >checksums.txt && cat checksums.txt

bench: ## the table of docs/performance.md
	go run -tags $(TAGS) ./internal/bench

generate: ## completions/ and man/ from the command tree
	go run -tags $(TAGS) ./internal/gen

clean: ## remove what make made
	rm -rf bin dist

bin/golangci-lint-$(GOLANGCI_LINT):
	GOBIN=$(CURDIR)/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT)
	mv bin/golangci-lint$(EXE) $@

bin/nfpm-$(NFPM):
	GOBIN=$(CURDIR)/bin go install github.com/goreleaser/nfpm/v2/cmd/nfpm@$(NFPM)
	mv bin/nfpm$(EXE) $@
