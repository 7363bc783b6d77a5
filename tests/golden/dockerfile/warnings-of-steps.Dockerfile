# check=experimental=InvalidDefinitionDescription
FROM alpine
# wrong
ARG API_TOKEN
# right what it is for
ARG right
ENV KEY value
ENV PATH=$PATHS:/x SECRET_PUBLIC_KEY=1
WORKDIR rel
CMD one
cmd two
ENTRYPOINT three
EXPOSE 80/TCP 1:2 $nothing
LABEL a=$b
RUN --mount=type=cache,target=$unset echo $unset
COPY <<EOF /x
$unset
EOF
