FROM app/onbuild
RUN after
