# faas-lambda: OpenFaaS functions, unmodified, on AWS Lambda. `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
SHA     ?= $(shell git rev-parse HEAD 2>/dev/null)
CREATED ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
# Asked once: a commit made meanwhile is none of this build.
VERSION := $(VERSION)
SHA     := $(SHA)
CREATED := $(CREATED)

# bootstrap goes into every package, and the package is the same for the same
# image: nothing of the machine, the checkout or the time may get into it.
# fwatchdog goes into the images that `faas-lambda build` makes. Both are embedded.
EMBEDDED_FLAGS := -trimpath -buildvcs=false -ldflags '-s -w -buildid='
BOOTSTRAPS     := $(foreach arch,amd64 arm64,provider/bootstraps/bin/bootstrap-linux-$(arch).gz)
WATCHDOGS      := $(foreach arch,amd64 arm64,provider/bootstraps/bin/fwatchdog-linux-$(arch).gz)
EMBEDDED       := $(BOOTSTRAPS) $(WATCHDOGS)
# The folder that is embedded changes only when a program does, and then at once:
# somebody else may be compiling it, tests for instance. Folders that come and go
# have a dot, so that nobody who lists packages meanwhile looks into them.
embed = mkdir -p bin && dir=$$(mktemp -d bin/.embed.XXXXXX) && trap 'rm -rf "$$dir"' EXIT && \
	CGO_ENABLED=0 GOOS=linux GOARCH=$* $(GO) build $(EMBEDDED_FLAGS) -o $$dir/program $(1) && gzip -n $$dir/program && \
	{ cmp -s $$dir/program.gz $@ || mv $$dir/program.gz $@; }
# grpcnotrace: of gRPC only constants are used, but its tracing calls methods by
# name, and then the linker keeps every exported method of every AWS client.
PROVIDER_FLAGS := -tags grpcnotrace -trimpath -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION) -X main.sha=$(SHA)'
WATCHDOG_FLAGS := -trimpath -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION)'

# The programs of the container images, by architecture.
IMAGE_PROVIDERS := $(foreach arch,amd64 arm64,bin/images/programs/linux-$(arch)/faas-lambda)
IMAGE_WATCHDOGS := $(foreach arch,amd64 arm64,bin/images/programs/linux-$(arch)/fwatchdog)

# Kubernetes and what goes with it, of the versions in integration/cluster/go.mod.
KUBERNETES    := $(shell sed -n 's|^.*k8s.io/kubernetes \(v[0-9.]*\).*$$|\1|p' integration/cluster/go.mod)
CLUSTER_TOOLS := $(addprefix bin/tools/,etcd helm kwok kube-apiserver kube-controller-manager kube-scheduler)
TOOL_FLAGS    := -s -w $(foreach v,gitVersion=$(KUBERNETES) gitMajor=$(patsubst v%,%,$(word 1,$(subst ., ,$(KUBERNETES)))) gitMinor=$(word 2,$(subst ., ,$(KUBERNETES))),-X k8s.io/component-base/version.$(v))
package_etcd  := go.etcd.io/etcd/server/v3
package_helm  := helm.sh/helm/v3/cmd/helm
package_kwok  := sigs.k8s.io/kwok/cmd/kwok
KUBECONFORM   := github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0
HELM4         := helm.sh/helm/v4/cmd/helm@v4.3.1

# The race detector needs a C compiler; without one the tests run without it. So
# do those of integration: what they test are programs of their own, and images
# and a registry in their process take many times as long with it.
RACE := $(shell command -v gcc >/dev/null 2>&1 && echo -race)
TEST_FLAGS ?=

.PHONY: help build demo test test-units test-line test-replicas test-monitoring test-cluster test-chart test-aws test-peers test-templates bench load sizing fuzz lint fmt images tools clean $(EMBEDDED) $(IMAGE_PROVIDERS) $(IMAGE_WATCHDOGS) bin/faas-lambda bin/fwatchdog

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: $(EMBEDDED) bin/faas-lambda bin/fwatchdog ## build bin/faas-lambda (with bootstrap for amd64 and arm64 inside) and bin/fwatchdog

$(BOOTSTRAPS): provider/bootstraps/bin/bootstrap-linux-%.gz:
	@$(call embed,./bootstrap)

$(WATCHDOGS): provider/bootstraps/bin/fwatchdog-linux-%.gz:
	@$(call embed,./watchdog/fwatchdog)

bin/faas-lambda: $(EMBEDDED)
	@CGO_ENABLED=0 $(GO) build $(PROVIDER_FLAGS) -o $@ ./provider

bin/fwatchdog:
	@CGO_ENABLED=0 GOOS=linux $(GO) build $(WATCHDOG_FLAGS) -o $@ ./watchdog/fwatchdog

images: $(IMAGE_PROVIDERS) $(IMAGE_WATCHDOGS) ## container images as OCI layouts in bin/images, without Docker; pushed with PUSH=ghcr.io/faas-lambda
	@$(GO) run ./images -version '$(VERSION)' -revision '$(SHA)' -created $(CREATED) $(if $(PUSH),-push '$(PUSH)')

$(IMAGE_PROVIDERS): bin/images/programs/linux-%/faas-lambda: $(EMBEDDED)
	@CGO_ENABLED=0 GOOS=linux GOARCH=$* $(GO) build $(PROVIDER_FLAGS) -o $@ ./provider

$(IMAGE_WATCHDOGS): bin/images/programs/linux-%/fwatchdog:
	@CGO_ENABLED=0 GOOS=linux GOARCH=$* $(GO) build $(WATCHDOG_FLAGS) -o $@ ./watchdog/fwatchdog

demo: build ## deploy and invoke function images on the embedded AWS: no account, no Docker
	@$(GO) run ./integration/demo -bin bin

test: build tools ## every test, from unit to the whole line with real processes
	$(GO) vet ./...
	$(GO) vet -tags aws ./provider
	@$(MAKE) --no-print-directory -j2 -Oline test-units test-line

# The halves of test, which has built what they need: one computes, the other waits most of the time. provider takes the longest of all packages and is
# begun first.
test-units:
	$(GO) test $(RACE) -timeout 25m $(TEST_FLAGS) ./provider $$($(GO) list ./... | grep -v -e /integration -e '/provider$$')
	$(if $(RACE),$(GO) test -timeout 25m $(TEST_FLAGS) -run 'TestFaults$$' ./provider)

test-line:
	$(GO) test -timeout 25m $(TEST_FLAGS) ./integration/...
	@for module in templates/template/*/go.mod templates/template/*/function/go.mod; do \
	  (cd $$(dirname $$module) && $(GO) vet ./... && $(GO) test ./...) || exit 1; \
	done
	cd templates/template/node-lambda && node --test test/
	cd templates/template/python-lambda && python3 -m unittest discover -s test
	cd templates/template/ruby-lambda && ruby test/index_test.rb
	cd templates/template/rust-lambda && cargo test --quiet
	cd templates/template/java-lambda && mvn -B -q test

tools: bin/tools/helm bin/tools/kubeconform
	@integration/tools.sh aws models images templates

test-replicas: build images ## restart two replicas, processes of the container image, under RATE (225) requests a second, ROUNDS (3) times, and all else that replicas share; needs root
	REPLICA=$(abspath bin/images/faas-lambda) RATE=$${RATE:-225} ROUNDS=$${ROUNDS:-3} $(GO) test -count=1 -v -timeout 20m -run TestReplica ./integration

test-monitoring: ## evaluate the chart's dashboard and alerts with Prometheus over the metrics of a provider that works
	$(GO) test -count=1 -v -run 'TestAlerts|TestDashboard' ./integration

test-chart: bin/tools/helm bin/tools/helm4 bin/tools/kubeconform ## lint and render the chart with Helm 3 and 4 and compare it with Kubernetes' schemas; `make test` does it with Helm 3
	HELMS=helm4 $(GO) test -count=1 -v ./chart

test-cluster: $(CLUSTER_TOOLS) ## install, upgrade, roll back and uninstall the chart on a Kubernetes of its own, which is built first (ten minutes, once)
	cd integration/cluster && $(GO) vet . && $(GO) test -count=1 -timeout 30m $(TEST_FLAGS) .

$(CLUSTER_TOOLS): bin/tools/%: integration/cluster/go.mod
	@echo "building $*"
	@cd integration/cluster && CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '$(TOOL_FLAGS)' -o ../../$@ $(or $(package_$*),k8s.io/kubernetes/cmd/$*)

bin/tools/kubeconform:
	@echo "building kubeconform"
	@GOBIN=$(CURDIR)/bin/tools $(GO) install $(KUBECONFORM)

bin/tools/helm4:
	@echo "building helm 4"
	@GOBIN=$(CURDIR)/bin/tools/helm4.new $(GO) install $(HELM4) && mv bin/tools/helm4.new/helm $@ && rmdir bin/tools/helm4.new

test-aws: build ## the conformance suite on real AWS, with your credentials: AWS_REGION=… lambda_execution_role=ARN make test-aws
	@test -n "$$lambda_execution_role" || { echo "usage: AWS_REGION=REGION lambda_execution_role=ARN make test-aws, with credentials as the AWS CLI takes them; ARN is a role for functions"; exit 2; }
	$(GO) vet -tags aws ./provider
	$(GO) test -tags aws -count=1 -v -timeout 60m -run TestBackendOnAWS ./provider

test-peers: build ## run the cases of faas-cli and the watchdogs with the real programs: make test-peers PEERS=DIR
	@test -n "$(PEERS)" || { echo "usage: make test-peers PEERS=DIR, where DIR holds faas-cli, of-watchdog and classic-watchdog"; exit 2; }
	PEERS=$(abspath $(PEERS)) $(GO) test -count=1 -v -run 'Peer' ./integration ./watchdog/...

test-templates: build tools ## run the community's templates, unmodified: make test-templates TEMPLATES=DIR
	@test -n "$(TEMPLATES)" || { echo "usage: make test-templates TEMPLATES=DIR, where DIR holds clones of openfaas/templates, golang-http-template, python-flask-template and ruby-http"; exit 2; }
	TEMPLATES=$(abspath $(TEMPLATES)) $(GO) test -count=1 -v -run TestCommunityTemplates ./integration

bench: build ## figures side by side: bootstrap against aws-lambda-go, fwatchdog and cold starts against of-watchdog (PEERS=DIR), packaging against skopeo + umoci + zip
	@integration/tools.sh bench images templates
	$(GO) test -run '^$$' -bench Invoke -benchtime 20x ./bootstrap/loop
	PEERS=$(if $(PEERS),$(abspath $(PEERS))) $(GO) test -run '^$$' -bench 'Hop|Fork' -benchtime 20x ./watchdog ./watchdog/fwatchdog
	@PEERS=$(if $(PEERS),$(abspath $(PEERS))) $(GO) run ./integration/bench -bin bin

load: build ## load `faas-lambda up`: CLIENTS (1000) at a time for LASTING (1m), bodies of all sizes; no error but 429, memory that does not grow
	@$(GO) run ./integration/bench -bin bin -load -clients $${CLIENTS:-1000} -lasting $${LASTING:-1m}

sizing: build ## what one replica takes: at rest, with FUNCTIONS (1000) listed every 5 s, with as many invocations at a time
	@$(GO) run ./integration/bench -bin bin -sizing -functions $${FUNCTIONS:-1000} -lasting $${LASTING:-1m}

fuzz: ## each fuzz test for FUZZTIME (10s)
	@for pkg in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg 2>/dev/null | grep ^Fuzz); do \
	    echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $${FUZZTIME:-10s} $$pkg || exit 1; \
	  done; done

lint: ## gofmt, go vet and golangci-lint
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "run make fmt"; exit 1; }
	$(GO) vet ./...
	$(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 run

fmt: ## format the code
	gofmt -w .

clean: ## remove what build made
	rm -rf bin $(EMBEDDED)
