FROM alpine AS s0
RUN step 0
FROM alpine AS s1
RUN step 1
FROM alpine AS s2
RUN step 2
FROM alpine AS s3
RUN step 3
FROM alpine AS s4
RUN step 4
FROM alpine AS s5
RUN step 5
FROM alpine AS s6
RUN step 6
FROM alpine AS s7
RUN step 7
FROM scratch
COPY --from=s0 /out /0
COPY --from=s1 /out /1
COPY --from=s2 /out /2
COPY --from=s3 /out /3
COPY --from=s4 /out /4
COPY --from=s5 /out /5
COPY --from=s6 /out /6
COPY --from=s7 /out /7
