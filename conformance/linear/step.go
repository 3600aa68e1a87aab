package linear

import (
	"fmt"

	"github.com/anishathalye/porcupine"

	"fleece/virt"
)

// part is a step of a call.
type part uint8

const (
	whole   part = iota
	reserve      // Begin has the domain, or Create the name
	commit       // what was to be made is there
	fail         // Begin meets its failure
	undone       // Begin has left nothing and gives the domain back
	aim          // an end finds its job, and cancels it unless it is a push without ABORT
	take         // an end releases its job
	parts
)

var partNames = [parts]string{"whole", "reserve", "commit", "fail", "undone", "aim", "take"}

// step is one moment of a call.
type step struct {
	part part
	*Operation
}

func (s step) String() string { return fmt.Sprintf("%s: %s", partNames[s.part], s.Operation) }

// expand gives the steps of a call. They share the call's interval; the model keeps
// their order.
func expand(o *Operation) []porcupine.Operation {
	list := partsOf(o)
	steps := make([]porcupine.Operation, len(list))
	for i, p := range list {
		steps[i] = porcupine.Operation{ClientId: o.Task, Input: step{p, o}, Call: o.Start, Return: o.Return}
	}
	return steps
}

func partsOf(o *Operation) []part {
	switch o.Kind {
	case BackupBegin:
		switch o.Code {
		case 0:
			return []part{reserve, commit}
		case virt.ERR_NO_DOMAIN_CHECKPOINT, virt.ERR_OPERATION_ABORTED:
			return []part{reserve, fail, undone}
		}
	case CheckpointCreate:
		if o.Code == 0 {
			return []part{reserve, commit}
		}
	case AbortJob:
		if o.Code == 0 {
			return []part{aim, take}
		}
	case BackupEnd:
		if o.Code == 0 || o.Code == virt.ERR_NO_DOMAIN_BACKUP {
			return []part{aim, take}
		}
	}
	return []part{whole}
}
