# syntax=docker/dockerfile:1.7
ARG XX_VERSION=1.4.0
ARG ALPINE=3.20
FROM --platform=$BUILDPLATFORM tonistiigi/xx:${XX_VERSION} AS xx
FROM --platform=$BUILDPLATFORM golang:1.22-alpine${ALPINE} AS golatest
FROM golatest AS gobase
COPY --link --from=xx / /
ENV CGO_ENABLED=0
RUN apk add --no-cache file git
WORKDIR /src
FROM gobase AS version
ARG REF=HEAD
RUN --mount=target=. <<'EOT'
  set -e
  git describe --match 'v[0-9]*' --dirty > /tmp/.version
EOT
FROM gobase AS tool-build
ARG TARGETPLATFORM
RUN --mount=target=. --mount=target=/root/.cache,type=cache --mount=source=/tmp/.version,target=/tmp/.version,from=version <<EOT
  set -ex
  xx-go build -o /usr/bin/tool ./cmd/tool
  xx-verify --static /usr/bin/tool
EOT
FROM scratch AS binaries
COPY --link --from=tool-build /usr/bin/tool /
FROM binaries AS release
