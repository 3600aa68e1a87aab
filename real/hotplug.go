package real

import (
	"fmt"
	"strings"

	"fleece/qmp"
)

// Ports of the machine type pc through which a guest lets PCI devices go
// (docs/specs/acpi_pci_hotplug.rst of QEMU): the bus, and a bit for each of its slots.
const (
	pciSelectPort = 0xae10
	pciEjectPort  = 0xae08
)

// GuestEject does what a guest's ACPI does when it was asked to let a disk go. Without a
// guest nobody does it. QEMU tells later, by DEVICE_DELETED, that the device is gone.
func (h *Hypervisor) GuestEject(domain, device string) error {
	m, err := h.running(domain)
	if err != nil {
		return err
	}
	g := m.guest
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.open(); err != nil {
		return err
	}
	slot, err := g.slot(device)
	if err != nil {
		return err
	}
	for _, line := range []string{
		fmt.Sprintf("o /w %#x 0", pciSelectPort),
		fmt.Sprintf("o /w %#x %d", pciEjectPort, 1<<slot),
	} {
		v, err := g.monitor.Run(qmp.HumanMonitorCommand{CommandLine: line}.Command())
		if err != nil {
			return err
		}
		if said := strings.TrimSpace(v.S()); said != "" {
			return fmt.Errorf("monitor command %q: %s", line, said)
		}
	}
	return nil
}

// slot finds the PCI slot of a device.
func (g *guest) slot(device string) (int64, error) {
	v, err := g.monitor.Run(qmp.Command{Name: "query-pci"})
	if err != nil {
		return 0, err
	}
	for _, bus := range v.Items() {
		for _, d := range bus.Get("devices").Items() {
			if d.Get("qdev_id").S() == device {
				slot, _ := d.Get("slot").Int64()
				return slot, nil
			}
		}
	}
	return 0, fmt.Errorf("no device '%s' on the PCI bus", device)
}
