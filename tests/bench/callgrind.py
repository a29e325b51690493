# SPDX-License-Identifier: MIT
"""Reads a dump of callgrind: what each function costs by itself, and what the dearest calls cost with all below them.

(callgrind_annotate charges a dump taken in the middle of a call to the outermost function.)
"""
import collections
import re


class Names:
    """callgrind writes a name in full once, as "(ID) name", and then "(ID)"."""

    def __init__(self):
        self.known = {}

    def read(self, text):
        found = re.match(r'\((\d+)\)(?: (.*))?$', text)
        if not found:
            return text
        if found.group(2):
            self.known[found.group(1)] = found.group(2)
        return self.known.get(found.group(1), text)


class Profile:
    def __init__(self, path):
        self.own = collections.Counter()    # (object, function) -> instructions
        self.calls = collections.Counter()  # (caller, callee) -> instructions, with all below
        self.times = collections.Counter()  # (caller, callee) -> calls
        self.total = 0
        with open(path, encoding='utf-8', errors='replace') as file:
            self._read(file)

    def _read(self, file):
        functions, objects = Names(), Names()
        function, callee, obj, times = '', '', '', None
        for line in file:
            key, _, value = line.rstrip('\n').partition('=')
            if key == 'fn':
                function = functions.read(value)
            elif key == 'cfn':
                callee = functions.read(value)
            elif key == 'ob':
                obj = objects.read(value)
            elif key == 'cob':
                objects.read(value)
            elif key == 'calls':
                times = int(value.split()[0])
            elif re.match(r'[\d+*-]', line):
                self._cost(line.split(), (obj.rpartition('/')[2], function), callee, times)
                times = None

    def _cost(self, words, place, callee, times):
        cost = int(words[1]) if len(words) > 1 else 0
        if times is None:
            self.own[place] += cost
            self.total += cost
        elif times > 0:
            self.calls[place[1], callee] += cost
            self.times[place[1], callee] += times

    def lines(self, requests, most=40):
        yield f'{self.total / requests:.0f} instructions a request; by function, itself:'
        for (obj, function), cost in self.own.most_common(most):
            yield f'{cost / requests:9.0f} {100 * cost / self.total:5.1f} %  {function}  [{obj}]'
        yield ''
        yield 'calls, with all below them:'
        for (caller, callee), cost in self.calls.most_common(most):
            yield f'{cost / requests:9.0f} {self.times[caller, callee] / requests:7.2f} x  {caller} -> {callee}'
        yield ''
        yield 'allocations, calls a request:'
        for (caller, callee), times in self.times.most_common():
            if callee in ('malloc', 'calloc', 'realloc') and times >= requests / 100:
                yield f'{times / requests:9.2f} x  {caller} -> {callee}'
