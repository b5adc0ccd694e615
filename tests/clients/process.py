"""What a server process uses: memory, descriptors, processor time. Read from /proc."""

import os
import time

CLOCK = os.sysconf("SC_CLK_TCK")


class Process:
    """A process that is watched from `remember` on."""

    def __init__(self, pid):
        self.pid = pid
        self.remember()

    def remember(self):
        """Takes what it uses now as the measure for later."""
        self.memory_mib = self.resident_mib()
        self.descriptors = self.open_descriptors()

    def resident_mib(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            kib = next(line for line in file if line.startswith("VmRSS")).split()[1]
        return int(kib) / 1024

    def open_descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def processor_seconds(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK

    def faults(self, growth_mib_max):
        """What is wrong now that the server has nothing to do: memory kept, descriptors kept, a loop that spins."""
        found = []
        growth = self.resident_mib() - self.memory_mib
        if growth > growth_mib_max:
            found.append(f"it kept {growth:.0f} MiB of memory, at most {growth_mib_max} are right")
        if self.open_descriptors() > self.descriptors:
            found.append(f"it has {self.open_descriptors()} descriptors open, before it had {self.descriptors}")
        before = self.processor_seconds()
        time.sleep(1)
        busy = self.processor_seconds() - before
        if busy > 0.1:
            found.append(f"it used {busy:.2f} s of processor time in an idle second")
        return found
