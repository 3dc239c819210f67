"""mcumgr-toolkit's read-only commands to a device, as one JSON object: what each gives, or the words of its error.

usage: toolkit.py serial:PATH|udp:HOST:PORT FILE
"""

import json
import sys

from mcumgr_toolkit import FileChecksumDataFormat, MCUmgrClient

uri, name = sys.argv[1:]
scheme, place = uri.split(":", 1)
host, _, port = place.rpartition(":")
client = MCUmgrClient.serial(place) if scheme == "serial" else MCUmgrClient.udp(host, int(port))
client.set_timeout_ms(5000)


def told(value):
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if isinstance(value, dict):
        return {str(key): told(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [told(one) for one in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, FileChecksumDataFormat):
        return str(value)
    return {
        key: told(getattr(value, key))
        for key in dir(value)
        if not key.startswith("_") and not callable(getattr(value, key))
    }


def ask(call, *arguments):
    try:
        return told(call(*arguments))
    except Exception as error:
        return {"error": str(error)}


client.use_auto_frame_size()
groups = ask(client.enum_get_group_ids)
print(
    json.dumps(
        {
            "check": ask(client.check_connection),
            "echo": ask(client.os_echo, "hello"),
            "params": ask(client.os_mcumgr_parameters),
            "info": ask(client.os_application_info, "a"),
            "groups": groups,
            "count": ask(client.enum_get_group_count),
            "first": ask(client.enum_get_group_id, 0),
            "details": ask(client.enum_get_group_details, groups if isinstance(groups, list) else None),
            "stats": ask(client.stats_list_groups),
            "atoll": ask(client.stats_get_group_data, "atoll"),
            "status": ask(client.fs_file_status, name),
            "checksum": ask(client.fs_file_checksum, name, "sha256"),
            "checksums": ask(client.fs_supported_checksum_types),
            "tasks": ask(client.os_task_statistics),
            "bootloader": ask(client.os_bootloader_info),
            "images": ask(client.image_get_state),
        }
    )
)
