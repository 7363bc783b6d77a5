FROM --platform=$BUILDPLATFORM golang AS build
ARG TARGETARCH
RUN cross $TARGETARCH
FROM alpine
COPY --from=build /app /app
RUN true
