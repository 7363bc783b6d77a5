# check=skip=MaintainerDeprecated;error=true
FROM alpine AS Big
MAINTAINER me
