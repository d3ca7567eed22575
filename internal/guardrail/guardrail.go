// Package guardrail is the list of Azure services that a customer may use, and
// what it means as Azure Policy. It owns the list and its versions; it does not
// call Azure: provision assigns the compiled policy and asks whether it holds.
package guardrail

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"causeway/internal/fault"
	"causeway/internal/store"
)

// Catalogue is the list of services offered, as data.
type Catalogue struct {
	Version   int64     `json:"version"`    // set when read; 0 = the built-in one, never saved
	ChangedAt time.Time `json:"changed_at"` // set when read; zero for the built-in one
	Note      string    `json:"note"`       // set when read: why this version was made

	Unrestricted bool     `json:"unrestricted"` // everything that Microsoft offers to partners; the groups are shown as recommended
	Regions      []Region `json:"regions"`      // where; empty only if unrestricted
	Groups       []Group  `json:"groups"`
}

// Region is one of Azure's places.
type Region struct {
	Name  string `json:"name"`  // Azure's name: eastus
	Label string `json:"label"` // for people: East US
	Place string `json:"place"` // Virginia, United States
}

// Group is a heading on the page: Compute, Storage, Network, Resources.
type Group struct {
	Name     string    `json:"name"`
	Services []Service `json:"services"`
}

// Service is what a customer calls one thing; it may be many resource types.
type Service struct {
	ID      string   `json:"id"`      // stable, lower case: virtual-machines
	Name    string   `json:"name"`    // Virtual machines
	Reason  string   `json:"reason"`  // why it is offered, or offered in this way
	Types   []string `json:"types"`   // Microsoft.Compute/virtualMachines …; children are named one by one
	Regions []string `json:"regions"` // a part of the catalogue's; empty = all of them
	Sizes   []string `json:"sizes"`   // allowed sizes of virtual machines, * at the end stands for any; empty = all
}

// Lookup finds the service that a resource type belongs to, without case, as
// Azure compares them.
func (c Catalogue) Lookup(resourceType string) (Service, bool) {
	for _, g := range c.Groups {
		for _, s := range g.Services {
			if slices.ContainsFunc(s.Types, func(t string) bool { return strings.EqualFold(t, resourceType) }) {
				return s, true
			}
		}
	}
	return Service{}, false
}

// Types lists the resource types of all services, sorted, each once.
func (c Catalogue) Types() []string {
	var all []string
	for _, g := range c.Groups {
		for _, s := range g.Services {
			all = append(all, s.Types...)
		}
	}
	return sorted(all)
}

// sorted sorts without case and drops repetitions that differ only in case.
func sorted(all []string) []string {
	slices.SortFunc(all, func(a, b string) int {
		if n := strings.Compare(strings.ToLower(a), strings.ToLower(b)); n != 0 {
			return n
		}
		return strings.Compare(a, b)
	})
	return slices.CompactFunc(all, strings.EqualFold)
}

var (
	typeName   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*(\.[A-Za-z][A-Za-z0-9]*)+(/[A-Za-z][A-Za-z0-9]*)+$`)
	regionName = regexp.MustCompile(`^[a-z]+[a-z0-9]*$`)
	serviceID  = regexp.MustCompile(`^[a-z][a-z0-9-]{0,49}$`)
	sizeName   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*\*?$`)
)

// Check names everything that is wrong with the catalogue at once.
func (c Catalogue) Check() error {
	var all []fault.Refusal
	add := func(field, reason, remedy string) {
		all = append(all, fault.Refusal{Field: field, Reason: reason, Remedy: remedy})
	}
	words := func(field, what, s string, most int) {
		if strings.TrimSpace(s) == "" {
			add(field, what+" is empty.", "Fill it in.")
		} else if store.CheckText(field, s) != nil || len(s) > most || strings.ContainsAny(s, "\r\n") {
			add(field, fmt.Sprintf("%s is longer than %d bytes or holds characters that cannot be stored.", what, most), "Shorten it to one line.")
		}
	}
	regions := map[string]bool{}
	for i, r := range c.Regions {
		field := fmt.Sprintf("regions[%d]", i)
		if !regionName.MatchString(r.Name) {
			add(field+".name", fmt.Sprintf("%q is no name of an Azure region.", r.Name), "Write it like eastus2.")
		}
		if regions[r.Name] {
			add(field+".name", r.Name+" is named twice.", "Name it once.")
		}
		regions[r.Name] = true
		words(field+".label", "The region's label", r.Label, 100)
	}
	if len(c.Regions) == 0 && !c.Unrestricted {
		add("regions", "No region is offered.", "Name at least one, or lift the restriction.")
	}
	owner, ids := map[string]string{}, map[string]bool{}
	for i, g := range c.Groups {
		words(fmt.Sprintf("groups[%d].name", i), "The group's name", g.Name, 100)
		for j, s := range g.Services {
			field := fmt.Sprintf("groups[%d].services[%d]", i, j)
			if !serviceID.MatchString(s.ID) || ids[s.ID] {
				add(field+".id", fmt.Sprintf("The id %q is used twice, or is not made of small letters, digits and hyphens.", s.ID), "Choose another one.")
			}
			ids[s.ID] = true
			words(field+".name", "The service's name", s.Name, 100)
			words(field+".reason", "The reason of "+s.Name, s.Reason, 500)
			if len(s.Types) == 0 {
				add(field+".types", s.Name+" names no resource type.", "Add one like Microsoft.Compute/virtualMachines.")
			}
			for _, t := range s.Types {
				low := strings.ToLower(t)
				switch {
				case !typeName.MatchString(t):
					add(field+".types", fmt.Sprintf("%q is no resource type.", t), "Write it like Microsoft.Compute/virtualMachines.")
				case owner[low] != "":
					add(field+".types", fmt.Sprintf("%s belongs to %s already.", t, owner[low]), "Name it in one service only.")
				}
				owner[low] = s.Name
			}
			for _, r := range s.Regions {
				if !regions[r] && !c.Unrestricted {
					add(field+".regions", fmt.Sprintf("%s is not one of the regions offered.", r), "Add it to the list of regions, or take it away here.")
				}
			}
			for _, z := range s.Sizes {
				if !sizeName.MatchString(z) {
					add(field+".sizes", fmt.Sprintf("%q is no size of a virtual machine.", z), "Write it like Standard_D2s_v5 or Standard_D*.")
				}
			}
			if len(s.Sizes) > 0 && !slices.ContainsFunc(s.Types, func(t string) bool { return sized(t) != "" }) {
				add(field+".sizes", s.Name+" has no virtual machines, so it has no sizes.", "Take the sizes away.")
			}
		}
	}
	if len(owner) == 0 && !c.Unrestricted {
		add("groups", "No service is offered.", "Name at least one, or lift the restriction.")
	}
	// A policy assignment's parameters may have 50 KB in all; half of it is far
	// more than Azure's types need.
	if n := len(strings.Join(c.Types(), "")); n > 25_000 || len(c.Regions) > 200 {
		add("groups", "The list is too long for one policy.", "Take services away, or lift the restriction.")
	}
	if len(all) == 0 {
		return nil
	}
	return fault.Refuse(all...)
}

// sized gives the property that holds the size, for the types that have one.
func sized(resourceType string) string {
	switch strings.ToLower(resourceType) {
	case "microsoft.compute/virtualmachines":
		return "Microsoft.Compute/virtualMachines/sku.name"
	case "microsoft.compute/virtualmachinescalesets":
		return "Microsoft.Compute/VirtualMachineScaleSets/sku.name"
	}
	return ""
}

// RegionsOf are the regions in which a service is offered, with their labels.
func (c Catalogue) RegionsOf(s Service) []Region {
	if len(s.Regions) == 0 {
		return c.Regions
	}
	var some []Region
	for _, r := range c.Regions {
		if slices.Contains(s.Regions, r.Name) {
			some = append(some, r)
		}
	}
	return some
}
