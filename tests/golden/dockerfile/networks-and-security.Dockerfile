FROM alpine
RUN --network=none true
RUN --network=host true
RUN --network=default true
RUN --security=insecure mount
RUN --security=sandbox true
RUN --device=vendor.com/class=name true
