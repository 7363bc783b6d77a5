# syntax=docker/dockerfile:1
ARG BASE=alpine
FROM ${BASE} AS base
ARG FOO=bar
ENV A=1 B="two words"
ENV OLD the rest "of it"
RUN echo $FOO > /x
LABEL a=b c.d="e f" $A=x
WORKDIR /srv
WORKDIR sub
COPY --chown=1:2 --chmod=640 f1 f2 /dst/
ADD ["f1", "/with space"]
USER 1000:1000
EXPOSE 80 53/UDP 8000-8002
VOLUME /v1 /v2
VOLUME ["/v 3"]
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=5s --timeout=1m --start-period=2s --start-interval=1s --retries=3 CMD curl -f http://x
SHELL ["/bin/sh", "-e", "-c"]
CMD echo hi
ENTRYPOINT ["/bin/x", "y"]
CMD ["a", "b\"c"]
ONBUILD RUN echo onbuild
MAINTAINER me <a@b>
