FROM alpine AS one
RUN one
FROM one AS two
RUN two
FROM two AS three
RUN three
