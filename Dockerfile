# sluice alone: one static binary, no shell, no other user than nobody.
#
#   docker build -t sluice .
#   docker run --rm -v "$PWD:/work" --user "$(id -u):$(id -g)" sluice plan pipeline.yaml
#
# There are no CA certificates in it: sluice opens no network connection.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# Without a repository that git can read, as in a worktree, --version doesn't know the revision.
RUN git status >/dev/null 2>&1 || export GOFLAGS=-buildvcs=false; \
    CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /sluice ./cmd/sluice

FROM scratch
COPY --from=build /sluice /sluice
USER 65534:65534
WORKDIR /work
ENTRYPOINT ["/sluice"]
