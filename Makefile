# make demo      build and run everything on this machine: portal, worker, simulated Microsoft
# make test      what CI runs; nothing is skipped
# make generate  write the generated files again (templ, sqlc, the portal's stylesheet and assets)
# make lint      golangci-lint, with all of go vet, and gosec
# make proof     the long proofs; writes docs/figures.md (ONLY=… for some of them)
# make clean     remove what make built
#
# Every tool's version is pinned here, because a newer one may want a newer Go or
# write other files. GO=… chooses another Go.

SHELL         := /bin/bash
.SHELLFLAGS   := -eu -o pipefail -c
GO            ?= go
TEMPL         := github.com/a-h/templ/cmd/templ@v0.3.977
SQLC          := github.com/sqlc-dev/sqlc/cmd/sqlc@v1.31.1
GOLANGCI_LINT := v2.15.0
GOSEC         := v2.30.0

# Where several goroutines or processes meet on one row, tests run a second time
# under the race detector; all of them would be four times as slow.
RACE := ./internal/job/... ./internal/store/... ./internal/azure/token/...
RACE_JOURNEYS := 'Working|Twice|TwoWizards|TenAtOnce|FormSent|Credentials'

.PHONY: demo build test need unit race generate fresh lint proof clean

# The version is the commit: go build stamps it by itself (debug.ReadBuildInfo).
build:
	$(GO) build -o causeway ./cmd/causeway

demo: build
	./causeway demo

test: need
	$(GO) build ./...
	$(MAKE) unit
	$(MAKE) race
	$(MAKE) fresh
	$(MAKE) lint

need:
	tools/need

# Three packages at a time: each may start a database and a browser of its own, and
# waits for them now and then. Without debug information (-w) they link in half the time.
unit:
	$(GO) test -p 3 -ldflags=-w -timeout 25m ./...

race:
	$(GO) test -p 2 -timeout 10m -race $(RACE)
	$(GO) test -timeout 10m -race -run $(RACE_JOURNEYS) ./internal/provision

# npm install, not npm ci: the lock file decides the versions all the same, but ci also
# asks for the packages of other platforms, which a registry need not serve.
generate:
	$(GO) run $(TEMPL) generate -path internal/web/ui
	$(GO) run $(SQLC) generate
	cd internal/web && npm install --no-save --no-audit --no-fund && npm run build
	gofmt -w internal/web/ui/icons_gen.go

fresh:
	tools/fresh

lint: .bin/golangci-lint-$(GOLANGCI_LINT) .bin/gosec-$(GOSEC)
	.bin/golangci-lint-$(GOLANGCI_LINT) run ./...
	.bin/gosec-$(GOSEC) -quiet -exclude-generated -exclude-dir=node_modules ./...

.bin/golangci-lint-$(GOLANGCI_LINT):
	tools/install github.com/golangci/golangci-lint/v2/cmd/golangci-lint $(GOLANGCI_LINT)

.bin/gosec-$(GOSEC):
	tools/install github.com/securego/gosec/v2/cmd/gosec $(GOSEC)

proof: build
	$(GO) run ./tools/proof -only "$(ONLY)"

clean:
	rm -rf causeway .bin internal/web/node_modules internal/usage/raw/testdata/azurite/node_modules
