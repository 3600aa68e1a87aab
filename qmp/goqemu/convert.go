package goqemu

import (
	"encoding/json"

	api "github.com/digitalocean/go-qemu/qmp"

	"fleece/qmp"
)

// fromEvent makes an event of go-qemu. Numbers become json.Number, since float64
// alters integers above 2^53. Data is nil for an event without data.
func fromEvent(e qmp.Event) api.Event {
	out := api.Event{Event: e.Name}
	out.Timestamp.Seconds, out.Timestamp.Microseconds = e.Seconds, e.Microseconds
	if data, ok := plain(e.Data).(map[string]any); ok {
		out.Data = data
	}
	return out
}

// plain is a value as encoding/json would decode it with UseNumber.
func plain(v qmp.Value) any {
	switch v.Kind() {
	case qmp.KindBool:
		return v.IsTrue()
	case qmp.KindInt, qmp.KindUint, qmp.KindFloat:
		return json.Number(v.String())
	case qmp.KindString:
		return v.S()
	case qmp.KindList:
		items := make([]any, len(v.Items()))
		for i, item := range v.Items() {
			items[i] = plain(item)
		}
		return items
	case qmp.KindDict:
		members := make(map[string]any, len(v.Members()))
		for _, m := range v.Members() {
			members[m.Name] = plain(m.Value)
		}
		return members
	}
	return nil
}

// toEvent makes an event of ours. What JSON cannot say is an error.
func toEvent(e api.Event) (qmp.Event, error) {
	out := qmp.Event{Name: e.Event, Seconds: e.Timestamp.Seconds, Microseconds: e.Timestamp.Microseconds}
	if e.Data == nil {
		return out, nil
	}
	data, err := json.Marshal(e.Data)
	if err != nil {
		return qmp.Event{}, err
	}
	out.Data, err = qmp.Decode(data)
	return out, err
}
