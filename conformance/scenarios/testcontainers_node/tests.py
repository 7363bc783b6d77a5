"""testcontainers (Node.js): containers that tests start, use and leave to the reaper."""

from conformance.checks import eventually, same
from conformance.testcontainers_node import NodeTests, scenario


@scenario("containers", "start, a port, a log line, exec, stop")
def _(tests: NodeTests) -> None:
    got = tests(
        """
        const c = await new GenericContainer(image).withExposedPorts(80)
          .withCommand(['sh', '-c', 'mkdir /www; echo hi > /www/f; echo ready; exec httpd -f -p 80 -h /www'])
          .withWaitStrategy(Wait.forAll([Wait.forLogMessage('ready'), Wait.forListeningPorts()])).start();
        const text = await page(`http://${c.getHost()}:${c.getMappedPort(80)}/f`);
        const done = await c.exec(['sh', '-c', 'echo out; echo err >&2; exit 3']);
        const logs = await c.logs();
        const lines = await new Promise(heard => logs.on('data', line => heard(line.toString().trim())));
        await c.stop();
        return [text, done.stdout, done.stderr, done.exitCode, lines];
        """
    )
    same(got, ["hi\n", "out\n", "err\n", 3, "ready"])


@scenario("containers", "files and directories in and out, environment, labels, user, working directory")
def _(tests: NodeTests) -> None:
    got = tests(
        """
        const c = await new GenericContainer(image).withCommand(['sleep', '1000']).withEnvironment({A: '1'})
          .withLabels({k: 'v'}).withUser('65534:65534').withWorkingDir('/tmp')
          .withCopyContentToContainer([{content: 'given', target: '/tmp/given', mode: 0o644}]).start();
        await c.copyContentToContainer([{content: 'later', target: '/tmp/later'}]);
        const shown = await c.exec(['sh', '-c', 'id -u; pwd; echo $A; cat /tmp/given /tmp/later; echo; stat -c %a /tmp/given']);
        const archive = await c.copyArchiveFromContainer('/tmp/later');
        let size = 0;
        for await (const part of archive) size += part.length;
        await c.stop();
        return [shown.output, size > 0];
        """
    )
    same(got, ["65534\n/tmp\n1\ngivenlater\n644\n", True])


@scenario("containers", "a health check that is waited for, a restart, a container that has ended")
def _(tests: NodeTests) -> None:
    got = tests(
        """
        const c = await new GenericContainer(image).withCommand(['sleep', '1000'])
          .withHealthCheck({test: ['CMD-SHELL', 'true'], interval: 200, timeout: 5000, retries: 3})
          .withWaitStrategy(Wait.forHealthCheck()).start();
        await c.restart({timeout: 0});
        const again = (await c.exec(['echo', 'again'])).output;
        await c.stop();
        const once = await new GenericContainer(image).withCommand(['true']).withWaitStrategy(Wait.forOneShotStartup()).start();
        let refused = '';
        try {
          await new GenericContainer(image).withCommand(['sh', '-c', 'exit 4'])
            .withWaitStrategy(Wait.forOneShotStartup()).withStartupTimeout(20000).start();
        } catch (error) { refused = error.message; }
        return [again, once.getId().length, refused.includes('4')];
        """
    )
    same(got, ["again\n", 64, True])


@scenario("networks", "a network, aliases, a name that another container finds")
def _(tests: NodeTests) -> None:
    got = tests(
        """
        const network = await new Network().start();
        const server = await new GenericContainer(image).withNetwork(network).withNetworkAliases('web')
          .withCommand(['sh', '-c', 'mkdir /www; echo hi > /www/f; exec httpd -f -p 80 -h /www']).start();
        const client = await new GenericContainer(image).withNetwork(network).withCommand(['sleep', '1000']).start();
        let text = '';
        for (let n = 0; n < 50 && !text; n++) text = (await client.exec(['wget', '-q', '-O', '-', 'http://web/f'])).stdout;
        await client.stop(); await server.stop(); await network.stop();
        return text;
        """
    )
    same(got, "hi\n")


@scenario("containers", "redis, by its mapped port")
def _(tests: NodeTests) -> None:
    got = tests(
        """
        const c = await new GenericContainer(redis).withExposedPorts(6379)
          .withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/)).start();
        const socket = net.connect(c.getMappedPort(6379), c.getHost());
        const said = await new Promise((done, failed) => {
          socket.on('error', failed); socket.on('data', data => done(data.toString())); socket.write('PING\\r\\n');
        });
        socket.destroy();
        await c.stop();
        return said;
        """
    )
    same(got, "+PONG\r\n")


@scenario("reaper", "what a test run leaves is reaped by a container that has the engine's socket")
def _(tests: NodeTests) -> None:
    got = tests(
        """
        const network = await new Network().start();
        const c = await new GenericContainer(image).withNetwork(network).withCommand(['sleep', '1000']).start();
        return [c.getId(), network.getId()];
        """,
        reaper=True,
    )

    def reaped() -> None:
        same(tests.target.request("GET", f"/containers/{got[0]}/json")[0], 404, "status of the container")
        same(tests.target.request("GET", f"/networks/{got[1]}")[0], 404, "status of the network")

    eventually(reaped, 30)
