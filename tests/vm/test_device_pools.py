#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of how device_pools.py reads QEMU's trace and judges a boot; no machine needed."""

import unittest

import device_pools
from device_pools import Machine, addresses, judge

TRACE = """\
pci_nvme_mmio_asqaddr wrote MMIO, admin submission queue address=0x3ffdb000
pci_nvme_create_sq create submission queue, addr=0x3ffd6000, sqid=1, cqid=1, qsize=255, qflags=1
pci_nvme_map_addr addr 0x3efdd000 len 4096
pci_nvme_mmio_asqaddr wrote MMIO, admin submission queue address=0x20001000
pci_nvme_mmio_acqaddr wrote MMIO, admin completion queue address=0x20002000
pci_nvme_create_sq create submission queue, addr=0x20003000, sqid=1, cqid=1, qsize=63, qflags=1
pci_nvme_create_cq create completion queue, addr=0x20004000, cqid=1, vector=1, qsize=63, qflags=3, ien=1
pci_nvme_map_prp trans_len 4096 len 8192 prp1 0x20005000 prp2 0x20006000 num_prps 3
pci_nvme_map_prp trans_len 512 len 512 prp1 0x20007000 prp2 0x0 num_prps 1
pci_nvme_map_addr addr 0x20008000 len 4096
"""
SERIAL = """\
iomem: 00100000-3ffdffff : System RAM
iomem:   20000000-207fffff : Software IO TLB 00:04.0
lab: sum nvme0n1 aa
lab: sum vda bb
lab: used bound 12
lab: used unbound 0
lab: sum again cc
lab: end
"""
SUMS = {"n": "aa", "v": "bb", "n again": "cc"}
MACHINE = Machine("", device_pools.POOL, (), "Software IO TLB 00:04.0")


class Trace(unittest.TestCase):
    def test_queues_lists_and_data_are_found(self):
        found = addresses(TRACE)
        self.assertEqual(found["queue"], [0x20001000, 0x20002000, 0x20003000, 0x20004000])
        self.assertEqual(found["data"], [0x20005000, 0x20006000, 0x20007000, 0x20008000])


class Judgement(unittest.TestCase):
    def judge(self, machine=MACHINE, serial=SERIAL, trace=TRACE):
        return judge(machine, serial, addresses(trace), SUMS)

    def test_all_in_the_pool(self):
        self.assertEqual(self.judge(), [])

    def test_one_address_outside(self):
        self.assertEqual(self.judge(trace=TRACE + "pci_nvme_map_addr addr 0x20800000 len 512\n"),
                         ["1 of 5 addresses (data) are outside of the pool"])

    def test_a_queue_below_the_pool(self):
        self.assertEqual(self.judge(trace=TRACE.replace("0x20003000", "0x1ffff000")), ["1 of 4 addresses (queue) are outside of the pool"])

    def test_what_the_firmware_uses_is_no_proof(self):
        self.assertEqual(len(self.judge(trace=TRACE.split("pci_nvme_mmio_asqaddr ")[1])), 2)

    def test_no_trace_is_no_proof(self):
        self.assertEqual(len(self.judge(trace="")), 2)

    def test_a_wrong_byte(self):
        self.assertEqual(self.judge(serial=SERIAL.replace("again cc", "again cd")), ["what was read (again) is not what the disk has"])

    def test_not_listed(self):
        self.assertEqual(len(self.judge(serial=SERIAL.replace("Software IO TLB 00:04.0", "reserved"))), 1)

    def test_a_pool_where_none_should_be(self):
        self.assertEqual(self.judge(machine=Machine("", None)), ["/proc/iomem lists a pool of a device"])

    def test_slabs_that_are_never_given_back(self):
        self.assertEqual(self.judge(serial=SERIAL.replace("unbound 0", "unbound 1")),
                         ["slabs of the pool are in use while no driver is bound"])

    def test_a_machine_that_hangs(self):
        self.assertEqual(self.judge(serial=SERIAL.replace("lab: end\n", "")), ["the machine did not get to the end"])

    def test_what_the_kernel_must_say(self):
        self.assertEqual(self.judge(machine=Machine("", device_pools.POOL, ("hello",), "Software IO TLB 00:04.0")),
                         ['the kernel does not say "hello"'])


if __name__ == "__main__":
    unittest.main()
