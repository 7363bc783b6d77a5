FROM alpine AS base
ONBUILD COPY <<EOF /from-trigger
$X
EOF
ONBUILD RUN <<EOF
echo trigger
EOF
FROM base
ENV Y=1
