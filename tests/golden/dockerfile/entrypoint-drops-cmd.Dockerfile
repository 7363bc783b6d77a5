FROM app/base
ENTRYPOINT ["/new"]
