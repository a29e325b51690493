# SPDX-License-Identifier: MIT
"""prometheus - a strict reader of the text exposition format 0.0.4: whatever the format does not allow, or a collector would not make
sense of, raises Bad."""
import re

NAME = re.compile(r'[a-zA-Z_:][a-zA-Z0-9_:]*')
SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{([^}]*)\})? (-?[0-9]+(?:\.[0-9]+)?|\+Inf|NaN)\Z')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|\Z)')
SUFFIXES = ('_bucket', '_sum', '_count')


class Bad(Exception):
    """The text is not what the format allows."""


def labels_of(text, line):
    labels, at = {}, 0
    while at < len(text or ''):
        found = LABEL.match(text, at)
        if not found or found.group(1) in labels:
            raise Bad(f'labels of {line!r}')
        labels[found.group(1)] = found.group(2)
        at = found.end()
    if text and text.endswith(','):
        raise Bad(f'a comma too many in {line!r}')
    return labels


class Metrics:
    """types {family: type}; order: families as they come; samples {(name, ((label, value), ...)): number}."""

    def __init__(self, text):
        self.types, self.samples, self.order = {}, {}, []
        self.family = None
        if not text.endswith('\n'):
            raise Bad('the last line has no end')
        helps = set()
        for line in text[:-1].split('\n'):
            if line.startswith('# HELP '):
                name = line.split(' ', 3)[2]
                if not NAME.fullmatch(name) or name in helps or not line.split(' ', 3)[3:]:
                    raise Bad(f'help: {line!r}')
                helps.add(name)
                self.family = name
            elif line.startswith('# TYPE '):
                self.type_line(line)
            else:
                self.sample_line(line)
        if helps != set(self.types):
            raise Bad(f'help without type or type without help: {helps ^ set(self.types)}')
        for name in self.order:
            if self.types[name] == 'histogram':
                self.check_histograms(name)

    def type_line(self, line):
        words = line.split(' ')
        if len(words) != 4 or words[2] != self.family or words[2] in self.types or words[3] not in ('counter', 'gauge', 'histogram'):
            raise Bad(f'type: {line!r}')
        if (words[3] == 'counter') != words[2].endswith('_total'):
            raise Bad(f'a counter ends in _total, and nothing else does: {line!r}')
        self.types[words[2]] = words[3]
        self.order.append(words[2])

    def sample_line(self, line):
        found = SAMPLE.match(line)
        if not found:
            raise Bad(f'no sample: {line!r}')
        name, labels, number = found.group(1), labels_of(found.group(2), line), float(found.group(3).replace('+Inf', 'inf'))
        allowed = [self.family + end for end in SUFFIXES] if self.types.get(self.family) == 'histogram' else [self.family]
        if self.family not in self.types or name not in allowed:
            raise Bad(f'not a sample of the family above it, {self.family}: {line!r}')
        key = (name, tuple(sorted(labels.items())))
        if key in self.samples:
            raise Bad(f'twice: {line!r}')
        if number < 0:
            raise Bad(f'negative: {line!r}')
        self.samples[key] = number

    def check_histograms(self, name):
        series = {}
        for (sample, labels), number in self.samples.items():
            if sample == name + '_bucket':
                rest = tuple(label for label in labels if label[0] != 'le')
                series.setdefault(rest, []).append((float(dict(labels)['le'].replace('+Inf', 'inf')), number))
        for rest, buckets in series.items():
            bounds, counts = [bound for bound, _ in buckets], [count for _, count in buckets]
            if bounds != sorted(set(bounds)) or bounds[-1] != float('inf') or counts != sorted(counts):
                raise Bad(f'{name}{rest}: buckets {buckets}')
            if self.samples.get((name + '_count', rest)) != counts[-1] or (name + '_sum', rest) not in self.samples:
                raise Bad(f'{name}{rest}: _count and _sum')
        if not series:
            raise Bad(f'{name}: no buckets')

    def get(self, name, **labels):
        return self.samples[name, tuple(sorted(labels.items()))]

    def sum(self, name):
        return sum(number for (sample, _), number in self.samples.items() if sample == name)
