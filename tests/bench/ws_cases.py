# SPDX-License-Identifier: MIT
"""WebSockets: the daemon beside a program that uses libwebsockets itself, both against the same echo server."""
import dataclasses

import load
import reqivotest as rt
import servers


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    text: str
    size: int
    flight: int


CASES = (
    Case('ws64', 'WebSocket, 64 messages of 64 bytes under way', 64, 64),
    Case('ws64k', 'WebSocket, 8 messages of 64 KiB under way', 65536, 8),
    Case('ws64one', 'WebSocket, one message of 64 bytes at a time', 64, 1),
    Case('ws64kone', 'WebSocket, one message of 64 KiB at a time', 65536, 1),
)


def measure(origin, case, plan):
    """The ratio is the daemon's CPU over that of the whole rival program, which has no daemon."""
    with rt.Place('reqivo-bench') as place:
        relay = servers.Reqivod(place, origin.ca)
        url = servers.WsEcho(place).url()
        options = {'flight': case.flight, 'expect': case.size}
        ours = load.Contender('reqivo', relay, [load.Client(place, load.client_argv('ws', relay, url, **options))])
        lws = load.Contender('libwebsockets', None, [load.Client(place, load.client_argv('ws_lws', None, url, **options))])
        for rival in (ours, lws):
            rival.calibrate(plan.block_seconds, 200)
        load.interleave([ours, lws], plan.rounds)
        cell = {'case': case.name, 'text': case.text, 'scheme': 'ws', 'bytes': case.size, 'rounds': plan.rounds, 'contenders': {}}
        for rival in (ours, lws):
            cell['contenders'][rival.name] = {metric: rival.median(metric) for metric in load.METRICS}
        cell['ratios'] = {'libwebsockets': load.ratio(ours, lws, 'relay', 'client')}
        return cell
