package billing

import (
	"encoding/json"
	"reflect"
	"testing"

	"causeway/internal/money"
)

func TestCellsAreReadBackAsTheyWereKept(t *testing.T) {
	cells := []Cell{
		{Day: "2026-10-01", Kind: "usage", Line: "usage", Tenant: "t1", Entitlement: "s1", Category: "Virtual Machines", Region: "US East", Rows: 24, Sell: money.Must("3.0000000000000001", "EUR"), Cost: money.Must("4", "USD")},
		{Day: "2026-10-02", Kind: "usage", Line: "usage", Tenant: "t1", Entitlement: "", Category: "Virtual\tMachines\\t \\e\n", Region: "", Rows: 24, Sell: money.Must("-3", "EUR"), Cost: money.Must("4", "USD")},
		{Day: "2026-10-02", Kind: "fee", Line: "fee", Tenant: "t1", Entitlement: "", Category: `\`, Region: "US East", Rows: 0, Sell: money.Must("-3", "USD"), Cost: money.Amount{}},
	}
	packed, err := packCells(cells)
	if err != nil {
		t.Fatal(err)
	}
	got, err := unpackCells(packed)
	if err != nil || !reflect.DeepEqual(got, cells) {
		t.Errorf("%+v (%v)", got, err)
	}
	for _, other := range [][]Cell{nil, cells[:1]} { // as they were kept before
		body, err := json.Marshal(other)
		if err != nil {
			t.Fatal(err)
		}
		if packed, err = pack(body); err != nil {
			t.Fatal(err)
		}
		if got, err := unpackCells(packed); err != nil || !reflect.DeepEqual(got, other) {
			t.Errorf("%+v (%v)", got, err)
		}
	}
	if packed, err = pack([]byte(cellsHead + "2026-10-01\tusage\n")); err != nil {
		t.Fatal(err)
	}
	if got, err := unpackCells(packed); err == nil {
		t.Errorf("half a line is %+v", got)
	}
}
