# The five verbs. Each is one command that can be typed as well.
.PHONY: build test check bench demo

build: ## the binary, ./sluice
	CGO_ENABLED=0 go build -trimpath -o sluice ./cmd/sluice

test: ## every test
	go test ./...

check: ## before a commit: format, vet, lint, builds for every system, the quick tests
	.ci/run fast

bench: ## Go benchmarks; side by side with peers: see benchmarks/
	go test -run '^$$' -bench . ./internal/jpeg ./internal/png ./internal/warp ./flow

demo: ## a small long-tailed data set, trained on in six ways
	go run ./cmd/sluice demo
