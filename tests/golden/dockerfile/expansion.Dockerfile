FROM alpine
ENV name=app.tar.gz path=/usr/local/bin empty=
ENV a=${name%.*} b=${name%%.*} c=${name#*.} d=${name##*.} e=${path//\//_} f=${name/a*r/X}
ENV g=${empty:-default} h=${empty-default} i=${unset:+x} j=${name:+set} k='$name' l="${name}" m=\$name
WORKDIR ${path}/${name%%.*}
COPY $name ${path}/
USER ${user:-nobody}
EXPOSE ${port:-8080}/tcp
VOLUME ["/data/$name"]
