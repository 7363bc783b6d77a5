FROM alpine AS base
ONBUILD ARG X=1
ONBUILD RUN trigger $X
FROM base AS child
RUN child
FROM child
RUN grandchild
