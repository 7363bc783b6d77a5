FROM alpine
ENV NAME=world
COPY <<greeting.txt <<"raw.txt" /etc/
hello $NAME
greeting.txt
hello $NAME
raw.txt
COPY <<-tabs /etc/tabs
	indented
		twice
	tabs
RUN <<EOF
set -e
echo "$NAME"
EOF
RUN <<-EOF
	echo tabs
	EOF
RUN <<script
#!/usr/bin/env python3
print("hi")
script
RUN cat <<one <<two > /out
1
one
2
two
RUN 3<<EOF cat <&3
three
EOF
ADD <<x /y
z
x
