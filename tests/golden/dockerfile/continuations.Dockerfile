FROM alpine
RUN apk add \
    # a comment inside
    one \

    two \   
    three
RUN echo a \\
ENV A=1 \
    B=2
