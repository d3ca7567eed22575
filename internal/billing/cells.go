package billing

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"causeway/internal/money"
	"causeway/internal/rating"
	"causeway/internal/usage"
)

// The cells of a month are kept as lines of text: a page reads thirteen months of them,
// and to read them as JSON would take most of its time. A line has the members of a
// cell, between tabs; what is as in the line before is left out.

// cellsHead begins the text, in place of the "[" of JSON that was kept before.
const cellsHead = "cells 1\n"

const cellFields = 12

var (
	// An empty text is no left out one.
	cellEscape   = strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`)
	cellUnescape = strings.NewReplacer(`\\`, `\`, `\t`, "\t", `\n`, "\n", `\e`, "")
)

func packCells(cells []Cell) ([]byte, error) {
	var b strings.Builder
	b.WriteString(cellsHead)
	var before [cellFields]string
	for _, c := range cells {
		now := [cellFields]string{
			string(c.Day), string(c.Kind), c.Line, c.Tenant, c.Entitlement, c.Category, c.Region, strconv.FormatInt(c.Rows, 10),
			c.Sell.Text(), string(c.Sell.Currency()), c.Cost.Text(), string(c.Cost.Currency()),
		}
		for i, s := range now {
			if i > 0 {
				b.WriteByte('\t')
			}
			switch s {
			case before[i]:
			case "":
				b.WriteString(`\e`)
			default:
				b.WriteString(cellEscape.Replace(s))
			}
		}
		b.WriteByte('\n')
		before = now
	}
	return pack([]byte(b.String()))
}

func unpackCells(packed []byte) (cells []Cell, err error) {
	body, err := unpacked(packed)
	if err != nil {
		return nil, err
	}
	text, ours := strings.CutPrefix(string(body), cellsHead)
	if !ours {
		return cells, json.Unmarshal(body, &cells)
	}
	if text == "" {
		return nil, nil
	}
	cells = make([]Cell, 0, strings.Count(text, "\n"))
	var now [cellFields]string
	for len(text) > 0 {
		line, rest, _ := strings.Cut(text, "\n")
		text = rest
		for i := range now {
			s, rest, more := strings.Cut(line, "\t")
			if more != (i < cellFields-1) {
				return nil, fmt.Errorf("cell %d has not %d fields", len(cells)+1, cellFields)
			}
			line = rest
			if strings.IndexByte(s, '\\') >= 0 {
				now[i] = cellUnescape.Replace(s)
			} else if s != "" {
				now[i] = s
			}
		}
		c := Cell{Day: usage.Day(now[0]), Kind: rating.Kind(now[1]), Line: now[2], Tenant: now[3], Entitlement: now[4], Category: now[5], Region: now[6]}
		var err1, err2, err3 error
		c.Rows, err1 = strconv.ParseInt(now[7], 10, 64)
		c.Sell, err2 = money.FromText(now[8], now[9])
		c.Cost, err3 = money.FromText(now[10], now[11])
		if err := errors.Join(err1, err2, err3); err != nil {
			return nil, fmt.Errorf("cell %d: %w", len(cells)+1, err)
		}
		cells = append(cells, c)
	}
	return cells, nil
}
