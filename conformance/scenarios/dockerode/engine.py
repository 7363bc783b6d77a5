"""dockerode: what its users do."""

from conformance.checks import has, holds, same
from conformance.node import Node, scenario

RUN = "const c = await docker.createContainer({Image: image, name: name('c'), %s}); await c.start();"


@scenario("system", "ping, version, info")
def _(node: Node) -> None:
    got = node("return [(await docker.ping()).toString(), await docker.version(), await docker.info()]")
    same(got[0], "OK")
    has(got[2], {"OSType": "linux"})


@scenario("system", "events as they come")
def _(node: Node) -> None:
    got = node(
        """
        const events = await docker.getEvents({filters: {container: [name('seen')]}});
        let found = ''; events.on('data', part => found += part);
        const c = await docker.createContainer({Image: image, name: name('seen'), Cmd: ['true']});
        await c.start(); await c.wait();
        for (let n = 0; n < 100 && !found.includes('"die"'); n++) await sleep(100);
        events.destroy();
        return found.trim().split('\\n').map(line => JSON.parse(line).Action);
        """
    )
    same(got, ["create", "start", "die"])


@scenario("system", "df and an unknown container's 404")
def _(node: Node) -> None:
    got = node("return [Object.keys(await docker.df()), await refusal(docker.getContainer(name('nothing')).inspect())]")
    holds({"Images", "Containers", "Volumes"} <= set(got[0]), f"keys: {got[0]}")
    same(got[1], [404, f"No such container: {node.name('nothing')}"])


@scenario("containers", "create, start, wait, inspect, logs, remove")
def _(node: Node) -> None:
    got = node(
        """
        const c = await docker.createContainer({Image: image, name: name('c'), Cmd: ['sh', '-c', 'echo out; exit 3']});
        await c.start();
        const code = await c.wait();
        const state = (await c.inspect()).State;
        const logs = await c.logs({stdout: true, stderr: true});
        await c.remove();
        return [code, state.Status, state.ExitCode, logs.toString('latin1')];
        """
    )
    same(got, [{"StatusCode": 3}, "exited", 3, "\x01\0\0\0\0\0\0\x04out\n"])


@scenario("containers", "run: output and exit code")
def _(node: Node) -> None:
    got = node(
        """
        const out = new stream.PassThrough(), err = new stream.PassThrough();
        const texts = Promise.all([collect(out), collect(err)]);
        const options = {Tty: false, name: name('c')};
        const [answer, c] = await docker.run(image, ['sh', '-c', 'echo out; echo err >&2; exit 4'], [out, err], options);
        out.end(); err.end();
        await c.remove();
        return [answer, ...await texts];
        """
    )
    same(got, [{"StatusCode": 4}, "out\n", "err\n"])


@scenario("containers", "attach before the start: both streams")
def _(node: Node) -> None:
    got = node(
        """
        const c = await docker.createContainer({Image: image, name: name('c'), Cmd: ['sh', '-c', 'echo out; echo err >&2']});
        const s = await c.attach({stream: true, stdout: true, stderr: true});
        const seen = demuxed(s);
        await c.start();
        return await seen;
        """
    )
    same(got, {"out": "out\n", "err": "err\n"})


@scenario("containers", "attach with hijack: standard input, half closed")
def _(node: Node) -> None:
    got = node(
        """
        const c = await docker.createContainer({Image: image, name: name('c'), Cmd: ['cat'],
            OpenStdin: true, StdinOnce: true, AttachStdin: true, AttachStdout: true});
        const s = await c.attach({stream: true, stdin: true, stdout: true, stderr: true, hijack: true});
        const seen = demuxed(s);
        await c.start();
        s.write('one\\n'); s.end('two\\n');
        return [await seen, await c.wait()];
        """
    )
    same(got, [{"out": "one\ntwo\n", "err": ""}, {"StatusCode": 0}])


@scenario("containers", "a terminal with hijack: resized")
def _(node: Node) -> None:
    got = node(
        """
        const c = await docker.createContainer({Image: image, name: name('c'), Cmd: ['sh'], Tty: true, OpenStdin: true});
        const s = await c.attach({stream: true, stdin: true, stdout: true, stderr: true, hijack: true});
        let seen = ''; s.on('data', part => seen += part);
        await c.start();
        await c.resize({h: 33, w: 111});
        s.write('stty size\\nexit 6\\n');
        const answer = await c.wait();
        for (let n = 0; n < 50 && !seen.includes('33 111'); n++) await sleep(50);
        return [seen.includes('33 111'), answer];
        """
    )
    same(got, [True, {"StatusCode": 6}])


@scenario("containers", "exec: both streams and the code")
def _(node: Node) -> None:
    got = node(
        RUN % "Cmd: ['sleep', '1000']"
        + """
        const e = await c.exec({Cmd: ['sh', '-c', 'echo out; echo err >&2; exit 5'], AttachStdout: true, AttachStderr: true});
        const seen = await demuxed(await e.start({}));
        const info = await e.inspect();
        return [seen, info.ExitCode, info.Running];
        """
    )
    same(got, [{"out": "out\n", "err": "err\n"}, 5, False])


@scenario("containers", "exec with hijack: standard input")
def _(node: Node) -> None:
    got = node(
        RUN % "Cmd: ['sleep', '1000']"
        + """
        const e = await c.exec({Cmd: ['cat'], AttachStdin: true, AttachStdout: true});
        const s = await e.start({hijack: true, stdin: true});
        const seen = demuxed(s);
        s.end('given\\n');
        return await seen;
        """
    )
    same(got, {"out": "given\n", "err": ""})


@scenario("containers", "exec of a program that is not there: told in the stream, 127")
def _(node: Node) -> None:
    got = node(
        RUN % "Cmd: ['sleep', '1000']"
        + """
        const e = await c.exec({Cmd: ['nothing-like-it'], AttachStdout: true, AttachStderr: true});
        const seen = await text(await e.start({}));
        return [seen, (await e.inspect()).ExitCode];
        """
    )
    holds("executable file not found in $PATH" in got[0], f"text: {got[0]!r}")
    same(got[1], 127)


@scenario("containers", "logs: follow, tail, timestamps")
def _(node: Node) -> None:
    got = node(
        RUN % "Cmd: ['sh', '-c', 'for n in 1 2 3; do echo $n; sleep 0.2; done']"
        + """
        const followed = await demuxed(await c.logs({follow: true, stdout: true, stderr: true}));
        const tail = (await c.logs({stdout: true, tail: 1})).slice(8).toString();
        const stamped = (await c.logs({stdout: true, tail: 1, timestamps: true})).slice(8).toString();
        return [followed.out, tail, stamped];
        """
    )
    same(got[:2], ["1\n2\n3\n", "3\n"])
    holds(got[2].endswith("Z 3\n"), f"stamped: {got[2]!r}")


@scenario("containers", "list and filters")
def _(node: Node) -> None:
    got = node(
        RUN % "Cmd: ['sleep', '1000'], Labels: {[name('l')]: '1'}"
        + """
        const mine = await docker.listContainers({filters: {label: [name('l')]}});
        const none = await docker.listContainers({filters: JSON.stringify({label: [name('no')]})});
        return [mine.map(each => each.Names[0]), mine[0].Id === c.id, none];
        """
    )
    same(got, [[f"/{node.name('c')}"], True, []])


@scenario("containers", "pause, unpause, rename, restart, stop (304), kill (409)")
def _(node: Node) -> None:
    got = node(
        RUN % "Cmd: ['sleep', '1000'], StopSignal: 'SIGKILL'"
        + """
        await c.pause(); const paused = (await c.inspect()).State.Status; await c.unpause();
        await c.rename({name: name('d')}); await c.restart({t: 0}); await c.stop();
        return [paused, (await refusal(c.stop()))[0], (await refusal(c.kill()))[0], (await refusal(c.start()))[0]];
        """
    )
    same(got, ["paused", 304, 409, "no error"])


@scenario("containers", "wait for the next exit, asked before the start")
def _(node: Node) -> None:
    got = node(
        """
        const c = await docker.createContainer({Image: image, name: name('c'), Cmd: ['sh', '-c', 'exit 9'],
            HostConfig: {AutoRemove: true}});
        const removed = c.wait({condition: 'removed'});
        await c.start();
        return [await removed, (await refusal(c.inspect()))[0]];
        """
    )
    same(got, [{"StatusCode": 9}, 404])


@scenario("containers", "archives: put, info, get")
def _(node: Node) -> None:
    got = node(
        RUN % "Cmd: ['sleep', '1000']"
        + """
        const tar = await c.getArchive({path: '/etc/passwd'});
        const parts = []; for await (const part of tar) parts.push(part);
        const data = Buffer.concat(parts);
        await c.putArchive(data, {path: '/tmp'});
        const info = await c.infoArchive({path: '/tmp/passwd'});
        const stat = JSON.parse(Buffer.from(info.headers['x-docker-container-path-stat'], 'base64').toString());
        return [data.length % 512, stat.name, stat.size > 0, (await refusal(c.getArchive({path: '/nothing'})))[0]];
        """
    )
    same(got, [0, "passwd", True, 404])


@scenario("containers", "stats, top, changes, update")
def _(node: Node) -> None:
    got = node(
        RUN % "Cmd: ['sh', '-c', 'touch /made; sleep 1000']"
        + """
        await sleep(300);
        const stats = await c.stats({stream: false});
        const top = await c.top({ps_args: '-o pid,args'});
        const changes = await c.changes();
        const updated = await c.update({CpuShares: 300});
        return [stats.name, top.Titles, changes, Object.keys(updated), (await c.inspect()).HostConfig.CpuShares];
        """
    )
    same(got, [f"/{node.name('c')}", ["PID", "COMMAND"], [{"Path": "/made", "Kind": 1}], ["Warnings"], 300])


@scenario("containers", "export and commit")
def _(node: Node) -> None:
    got = node(
        RUN % "Cmd: ['true']"
        + """
        await c.wait();
        const tar = await c.export(); let size = 0; for await (const part of tar) size += part.length;
        const made = await c.commit({repo: name('made'), tag: '1', comment: 'note'});
        const found = await docker.getImage(name('made') + ':1').inspect();
        return [size > 100000, found.Id === made.Id, found.Comment];
        """
    )
    same(got, [True, True, "note"])


@scenario("images", "list, inspect, history, tag, remove, 404")
def _(node: Node) -> None:
    got = node(
        """
        const i = docker.getImage(image);
        await i.tag({repo: name('other'), tag: 'x'});
        const found = (await docker.listImages({filters: {reference: [name('other')]}})).map(each => each.RepoTags);
        const history = await i.history();
        const removed = await docker.getImage(name('other') + ':x').remove();
        const absent = await refusal(docker.getImage(name('nothing')).inspect());
        return [found.flat().includes(name('other') + ':x'), history.length > 0, removed[0], absent[0]];
        """
    )
    same(got, [True, True, {"Untagged": f"{node.name('other')}:x"}, 404])


@scenario("images", "save and load")
def _(node: Node) -> None:
    got = node(
        """
        const tar = await docker.getImage(image).get();
        const loaded = await docker.loadImage(tar);
        return await text(loaded);
        """
    )
    holds(f"Loaded image: {node.image}" in got, f"answer: {got!r}")


@scenario("networks", "create, connect, inspect, disconnect, remove")
def _(node: Node) -> None:
    got = node(
        RUN % "Cmd: ['sleep', '1000']"
        + """
        const n = await docker.createNetwork({Name: name('n'), Driver: 'bridge', Labels: {k: 'v'}});
        await n.connect({Container: c.id, EndpointConfig: {Aliases: ['db']}});
        const seen = await n.inspect();
        const refused = await refusal(n.remove());
        await n.disconnect({Container: c.id});
        await n.remove();
        return [Object.keys(seen.Containers)[0] === c.id, seen.Labels, refused[0], (await refusal(n.inspect()))[0]];
        """
    )
    same(got, [True, {"k": "v"}, 403, 404])


@scenario("volumes", "create, inspect, list, remove")
def _(node: Node) -> None:
    got = node(
        """
        await docker.createVolume({Name: name('v'), Labels: {k: 'v'}});
        const v = docker.getVolume(name('v'));
        const seen = await v.inspect();
        const names = (await docker.listVolumes({filters: {name: [name('v')]}})).Volumes.map(each => each.Name);
        await v.remove();
        return [seen.Labels, names, (await refusal(v.inspect()))[0]];
        """
    )
    same(got, [{"k": "v"}, [node.name("v")], 404])


@scenario("containers", "10 at once")
def _(node: Node) -> None:
    got = node(
        """
        const one = async n => {
            const c = await docker.createContainer({Image: image, name: name('c' + n), Cmd: ['sh', '-c', 'exit ' + n]});
            await c.start(); const answer = await c.wait(); await c.remove(); return answer.StatusCode;
        };
        return await Promise.all([...Array(10).keys()].map(one));
        """
    )
    same(got, list(range(10)))


@scenario("build", "a tar with a Dockerfile, by the classic way")
def _(node: Node) -> None:
    got = node(
        """
        const zlib = require('zlib'), tar = require('tar-fs'), fs = require('fs'), os = require('os'), path = require('path');
        const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'conformance-'));
        fs.writeFileSync(path.join(dir, 'Dockerfile'), 'FROM ' + image + '\\nRUN echo built > /made\\nCMD cat /made\\n');
        const s = await docker.buildImage({context: dir, src: ['Dockerfile']}, {t: name('built')});
        const lines = await new Promise((done, failed) => docker.modem.followProgress(s, (e, all) => e ? failed(e) : done(all)));
        fs.rmSync(dir, {recursive: true});
        return lines.map(line => line.stream || '').join('');
        """
    )
    holds("Successfully tagged" in got, f"log: {got[-300:]!r}")
