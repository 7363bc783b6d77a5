FROM alpine
ADD local.tar.gz /local
ADD --unpack=false local.tar.gz /packed
ADD http://host/path/file.bin /bin/
ADD --checksum=sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa --chmod=700 https://host/a.tar /a.tar
ADD --unpack=true https://host/ /unpacked
ADD https://host/repo.git#v1:sub /repo
ADD --keep-git-dir=true --checksum=0123456789012345678901234567890123456789 git@host:group/repo.git#main /kept
ADD github.com/looks/local /here
