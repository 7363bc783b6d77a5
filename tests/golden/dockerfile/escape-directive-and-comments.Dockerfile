# syntax = docker.io/docker/dockerfile:1.7@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
# ESCAPE=\
# check = skip=all

# an ordinary comment
   FROM alpine   AS   spaced
   # indented
	RUN true
