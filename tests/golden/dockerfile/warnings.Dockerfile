# check=experimental=InvalidDefinitionDescription
ARG VERSION
FROM --platform=linux/amd64 alpine:${VERSION} As Foo
# wrong
ARG API_TOKEN
ENV KEY value
ENV PATH=$PATHS:/x
WORKDIR rel
CMD one
cmd two
ENTRYPOINT three
EXPOSE 80/TCP 1:2
MAINTAINER me
RUN a \

 b
FROM --platform=$TARGETPLATFORM alpine AS foo
FROM alpine AS context
