"""A public SMP client (smpclient) does to a device what ours does: echo, params, upload, status, hash, statistics.

usage: public-client.py serial:PATH|udp:HOST:PORT FILE; prints one JSON object
"""

import asyncio
import json
import pathlib
import sys

from smpclient import SMPClient
from smpclient.generics import success
from smpclient.requests.file_management import FileHashChecksum, FileStatus
from smpclient.requests.os_management import EchoWrite, MCUMgrParametersRead
from smpclient.requests.statistics_management import GroupData, ListOfGroups


def transport_of(uri):
    scheme, place = uri.split(":", 1)
    if scheme == "serial":
        from smpclient.transport.serial import SMPSerialTransport

        return SMPSerialTransport(), place
    from smpclient.transport.udp import SMPUDPTransport

    host, port = place.rsplit(":", 1)

    class AtPort(SMPUDPTransport):
        async def connect(self, address, timeout_s):
            await super().connect(address, timeout_s, port=int(port))

    return AtPort(), host


async def main(uri, path):
    data = pathlib.Path(path).read_bytes()
    transport, address = transport_of(uri)
    async with SMPClient(transport, address) as client:

        async def ask(request):
            response = await client.request(request)
            assert success(response), response
            return response

        echo = await ask(EchoWrite(d="hello"))
        params = await ask(MCUMgrParametersRead())
        async for _ in client.upload_file(data, "/atoll/inactive"):
            pass
        status = await ask(FileStatus(name="/atoll/inactive"))
        hashed = await ask(FileHashChecksum(name="/atoll/inactive", type="sha256"))
        groups = await ask(ListOfGroups())
        stats = await ask(GroupData(name=groups.stat_list[0]))
    print(
        json.dumps(
            {
                "echo": echo.r,
                "params": [params.buf_size, params.buf_count],
                "len": status.len,
                "sha256": hashed.output.hex(),
                "stats": {key: value for key, value in stats.fields.items()},
            }
        )
    )


asyncio.run(main(sys.argv[1], sys.argv[2]))
