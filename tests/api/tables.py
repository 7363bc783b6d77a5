"""What clients of every version do with containers and volumes.  `{image}` is an image that is there and has `sleep`."""

from tests.api.steps import Contains, Step

VERSIONS = (24, 30, 40, 44, 47, 51, 52, 55)
MAC = "02:42:ac:11:00:09"
SLEEP = {"Image": "{image}", "Cmd": ["sleep", "1000"], "StopSignal": "KILL", "Labels": {"tier": "front"}}

LIFE = [
    Step("GET", "{v}/containers/json", 200, []),
    Step("GET", "{v}/containers/json?all=1", 200, []),
    Step("POST", "{v}/containers/create?name=web", 201, {"Id": str, "Warnings": []}, SLEEP, keep={"id": "Id"}),
    Step("POST", "{v}/containers/create?name=web", 409, {"message": Contains('"/web" is already in use')}, SLEEP),
    Step(
        "GET",
        "{v}/containers/web/json",
        200,
        {
            "Id": "{id}",
            "Name": "/web",
            "Path": "sleep",
            "Args": ["1000"],
            "State": {"Status": "created", "Running": False, "StartedAt": "0001-01-01T00:00:00Z"},
            "Config": {"Labels": {"tier": "front"}, "Cmd": ["sleep", "1000"]},
            "Mounts": [],
        },
    ),
    Step("GET", "{v}/containers/nope/json", 404, {"message": "No such container: nope"}),
    Step(
        "GET",
        "{v}/containers/json?all=1",
        200,
        [{"Id": "{id}", "Names": ["/web"], "State": "created", "Status": "Created", "Command": "sleep 1000"}],
    ),
    Step("GET", "{v}/containers/{id}/top", 409, {"message": "container {id} is not running"}),
    Step("POST", "{v}/containers/{id}/stop", 304, ""),
    Step("POST", "{v}/containers/{id}/kill", 409, {"message": Contains("is not running")}),
    Step("POST", "{v}/containers/{id}/pause", 409, {"message": "container {id} is not running"}),
    Step("POST", "{v}/containers/{id}/start", 204, ""),
    Step("POST", "{v}/containers/{id}/start", 304, ""),
    Step(
        "POST", "{v}/containers/{id}/start", 400, {"message": Contains("non-empty request body")}, {"Binds": ["/x:/y"]}
    ),
    Step("GET", "{v}/containers/{id}/json", 200, {"State": {"Status": "running", "Running": True, "Pid": int}}),
    Step("GET", "{v}/containers/json", 200, [{"State": "running", "Status": Contains("Up ")}]),
    Step("GET", '{v}/containers/json?filters={"label":["tier=front"]}', 200, [{"Id": "{id}"}]),
    Step("GET", '{v}/containers/json?filters={"label":{"tier=back":true}}', 200, []),
    Step("GET", '{v}/containers/json?filters={"foo":["x"]}', 400, {"message": "invalid filter 'foo'"}),
    Step("GET", "{v}/containers/json?limit=x", 400, {"message": 'strconv.Atoi: parsing "x": invalid syntax'}),
    Step("GET", "{v}/containers/{id}/top", 200, {"Titles": list, "Processes": list}),
    Step("POST", "{v}/containers/{id}/pause", 204, ""),
    Step("POST", "{v}/containers/{id}/pause", 409, {"message": "Container {id} is already paused"}),
    Step("GET", "{v}/containers/{id}/json", 200, {"State": {"Status": "paused", "Paused": True, "Running": True}}),
    Step("POST", "{v}/containers/{id}/unpause", 204, ""),
    Step("POST", "{v}/containers/{id}/unpause", 409, {"message": "Container {id} is not paused"}),
    Step("POST", "{v}/containers/{id}/update", 200, {"Warnings": None}, {"CpuShares": 512}),
    Step("POST", "{v}/containers/{id}/update", 400, {"message": "Minimum memory limit allowed is 6MB"}, {"Memory": 5}),
    Step(
        "POST",
        "{v}/containers/{id}/update",
        400,
        {
            "message": "invalid JSON: json: cannot unmarshal string into Go struct field UpdateConfig.Memory of type int64"
        },
        {"Memory": "x"},
    ),
    Step("POST", "{v}/containers/web/rename?name=db", 204, ""),
    Step("POST", "{v}/containers/db/rename?name=db", 400, {"message": Contains("same name as its current name")}),
    Step("GET", "{v}/containers/web/json", 404),
    Step("GET", "{v}/containers/db/json", 200, {"Name": "/db", "HostConfig": {"CpuShares": 512}}),
    Step(
        "DELETE", "{v}/containers/db", 409, {"message": Contains('cannot remove container "db": container is running')}
    ),
    Step("POST", "{v}/containers/db/wait?condition=x", 400, {"message": 'invalid condition: "x"'}, since=30),
    Step("POST", "{v}/containers/db/kill?signal=NOPE", 400, {"message": Contains("invalid signal: NOPE")}),
    Step("POST", "{v}/containers/db/kill", 204, ""),
    Step("POST", "{v}/containers/db/wait", 200, {"StatusCode": 137}),
    Step("GET", "{v}/containers/db/json", 200, {"State": {"Status": "exited", "ExitCode": 137, "Running": False}}),
    Step("GET", "{v}/containers/json?all=1", 200, [{"State": "exited", "Status": Contains("Exited (137)")}]),
    Step("POST", "{v}/containers/db/restart?t=0", 204, ""),
    Step("POST", "{v}/containers/db/stop?t=x", 400, {"message": 'strconv.Atoi: parsing "x": invalid syntax'}),
    Step("POST", "{v}/containers/db/stop?t=5", 204, ""),
    Step("DELETE", "{v}/containers/db?v=1", 204, ""),
    Step("DELETE", "{v}/containers/db", 404, {"message": "No such container: db"}),
    Step("DELETE", "{v}/containers/db?force=1", 404, {"message": "No such container: db"}),
    Step("GET", "{v}/containers/json?all=1", 200, []),
]

PRUNE = [
    Step("POST", "{v}/containers/prune", 200, {"ContainersDeleted": None, "SpaceReclaimed": 0}, since=25),
    Step("POST", "{v}/containers/create", 201, None, SLEEP, keep={"one": "Id"}),
    Step("POST", "{v}/containers/create", 201, None, SLEEP, keep={"two": "Id"}),
    Step("POST", "{v}/containers/{two}/start", 204),
    Step("POST", '{v}/containers/prune?filters={"foo":["x"]}', 400, {"message": "invalid filter 'foo'"}, since=25),
    Step("POST", "{v}/containers/prune", 404, {"message": "page not found"}, until=24),
    Step("POST", "{v}/containers/prune", 200, {"ContainersDeleted": ["{one}"], "SpaceReclaimed": int}, since=25),
    Step("DELETE", "{v}/containers/{two}?force=1", 204),
    Step("DELETE", "{v}/containers/{one}?force=1", 204, until=24),
]

VOLUMES = [
    Step("GET", "{v}/volumes", 200, {"Volumes": [], "Warnings": None}),
    Step(
        "POST",
        "{v}/volumes/create",
        201,
        {"Name": "data", "Driver": "local", "Labels": {"a": "b"}, "Options": None, "Scope": "local", "CreatedAt": str},
        {"Name": "data", "Labels": {"a": "b"}},
    ),
    Step("POST", "{v}/volumes/create", 201, {"Labels": {"a": "b"}}, {"name": "data"}),
    Step("GET", "{v}/volumes/data", 200, {"Name": "data", "Mountpoint": str}),
    Step("GET", "{v}/volumes/nope", 404, {"message": "get nope: no such volume"}),
    Step(
        "POST",
        "{v}/containers/create",
        201,
        None,
        {**SLEEP, "HostConfig": {"Binds": ["data:/data"]}, "Volumes": {"/anonymous": {}}},
        keep={"id": "Id"},
    ),
    Step(
        "GET",
        "{v}/containers/{id}/json",
        200,
        {
            "Mounts": [
                {"Type": "volume", "Destination": "/anonymous", "Driver": "local", "RW": True},
                {"Type": "volume", "Name": "data", "Destination": "/data", "Mode": "z"},
            ]
        },
    ),
    Step("GET", '{v}/volumes?filters={"dangling":["true"]}', 200, {"Volumes": []}),
    Step("DELETE", "{v}/volumes/data", 409, {"message": "remove data: volume is in use - [{id}]"}),
    Step("DELETE", "{v}/containers/{id}?v=1", 204),
    Step("GET", "{v}/volumes", 200, {"Volumes": [{"Name": "data"}]}),
    Step("POST", "{v}/volumes/prune", 200, {"VolumesDeleted": [], "SpaceReclaimed": 0}, since=42),
    Step("POST", "{v}/volumes/prune", 200, {"VolumesDeleted": ["data"]}, since=25, until=41),
    Step("DELETE", "{v}/volumes/data", 204, "", since=42),
    Step("DELETE", "{v}/volumes/data", 204, "", until=24),
    Step("DELETE", "{v}/volumes/data", 404, {"message": "get data: no such volume"}),
    Step("DELETE", "{v}/volumes/data?force=1", 204, ""),
]

CREATE = [
    Step("POST", "{v}/containers/create", 400, {"message": "invalid JSON: got EOF while reading request body"}),
    Step("POST", "{v}/containers/create", 404, {"message": "No such image: nope:latest"}, {"Image": "nope"}),
    Step("POST", "{v}/containers/create?name=a", 400, {"message": Contains("Invalid container name (a)")}, SLEEP),
    Step("POST", "{v}/containers/create", 201, {"Warnings": [str]}, {**SLEEP, "MacAddress": MAC}, keep={"id": "Id"}, since=44, until=51),
    Step("POST", "{v}/containers/create", 201, {"Warnings": []}, {**SLEEP, "MacAddress": MAC}, keep={"id": "Id"}, until=43),
    Step("POST", "{v}/containers/create", 400, {"message": Contains("MAC address")}, {**SLEEP, "MacAddress": MAC}, since=52),
    Step("GET", "{v}/containers/{id}/json", 200, {"Config": {"MacAddress": MAC}, "GraphDriver": {"Data": dict}}, until=51),
    Step("DELETE", "{v}/containers/{id}", 204, until=51),
    Step("POST", "{v}/containers/create", 201, None, SLEEP, keep={"id": "Id"}, since=52),
    Step("GET", "{v}/containers/{id}/json", 200, {"Storage": {"RootFS": {"Snapshot": {"Name": str}}}}, since=52),
    Step("DELETE", "{v}/containers/{id}", 204, since=52),
    Step("POST", "{v}/containers/create", 201, None, SLEEP, keep={"id": "Id"}),
    Step("GET", "{v}/containers/{id}/json", 200, {"HostConfig": {"IpcMode": "shareable"}}, until=39),
    Step("GET", "{v}/containers/{id}/json", 200, {"HostConfig": {"IpcMode": "private"}}, since=40),
    Step("GET", "{v}/containers/{id}/json", 200, {"HostConfig": {"NetworkMode": "default"}}, until=44),
    Step("GET", "{v}/containers/{id}/json", 200, {"HostConfig": {"NetworkMode": "bridge"}}, since=45),
    Step("GET", "{v}/containers/{id}/json?size=1", 200, {"SizeRootFs": int, "SizeRw": int}),
    Step("DELETE", "{v}/containers/{id}", 204),
]  # fmt: skip

TABLES = {"life": LIFE, "prune": PRUNE, "volumes": VOLUMES, "create": CREATE}
