# In the style of a static service: module cache, build stage with cache mounts, an image made of nothing.
FROM --platform=$BUILDPLATFORM IMAGE AS base
WORKDIR /src
ENV CGO_ENABLED=0
FROM base AS deps
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.cache/modules cp package-lock.json /root/.cache/modules/ && echo deps > .deps
FROM deps AS build
ARG TARGETOS TARGETARCH
RUN --mount=type=bind,target=/ctx --mount=type=cache,target=/root/.cache/modules \
    mkdir -p /out && cat /ctx/src/*.txt > /out/service && echo "$TARGETOS/$TARGETARCH" >> /out/service && chmod 755 /out/service
FROM build AS test
RUN test -s /out/service
FROM scratch AS binary
COPY --from=build /out/service /
FROM scratch
COPY --from=base /etc/passwd /etc/group /etc/
COPY --from=binary /service /usr/bin/service
USER 65534:65534
EXPOSE 8080
ENTRYPOINT ["/usr/bin/service"]
