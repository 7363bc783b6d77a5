"""Registries over HTTP: OCI distribution and Docker Registry v2.

driver.py      the port: which calls exist            reading.py, writing.py, accounts.py     what they do
endpoints.py   which hosts stand behind a name        tls.py, proxies.py                      how they are reached
client.py      one request with its authorisation, refusals as errors                          auth.py: tokens and passwords
http.py        one request on the wire; the only importer of the HTTP library, loaded at the first call
retries.py     when a request is made again           failures.py                              errors in users' words
"""
