package web

import (
	"net/http"

	"causeway/internal/account"
	"causeway/internal/fault"
	"causeway/internal/web/ui"
)

// listPeople: GET /people.
func (s *Server) listPeople(v *visit) error {
	p, err := s.peoplePage(v)
	if err != nil {
		return err
	}
	return v.page(ui.People(p))
}

func (s *Server) peoplePage(v *visit) (ui.PeoplePage, error) {
	var p ui.PeoplePage
	var err error
	if p.Shell, err = s.shell(v, "people", "People and roles"); err != nil {
		return p, err
	}
	list, err := s.People.Users(v.ctx(), v.me.Org)
	if err != nil {
		return p, err
	}
	roles := []ui.Option{{Value: string(account.RoleMember), Label: account.RoleMember.Title()}, {Value: string(account.RoleAdministrator), Label: account.RoleAdministrator.Title()}}
	p.Roles = customerRoles(v)
	if v.me.Staff() {
		p.Roles = staffRoles()
		roles = nil
		for _, r := range []account.Role{account.RoleReader, account.RoleSupport, account.RoleFinance, account.RoleOwner} {
			roles = append(roles, ui.Option{Value: string(r), Label: r.Title()})
		}
	}
	off := v.may(account.ActUserCreate, v.me.Org)
	p.Actions = []ui.Action{
		{ID: "own-password", Label: "Change my password…", Dialog: "password"},
		{ID: "add-person", Label: "Add a person…", Icon: "user-plus", Variant: "primary", Dialog: "invite", Off: off},
	}
	p.Change = v.may(account.ActUserChange, v.me.Org) == ""
	for _, u := range list {
		row := personRow(v, u)
		row.You = u.ID == v.me.User
		if p.Change && !row.You {
			row.Actions = append(row.Actions, ui.Action{ID: "change-" + string(u.ID), Label: "Change…", Size: "sm", Variant: "ghost", Dialog: "person-" + string(u.ID)})
			p.Forms = append(p.Forms, changeForm(u, roles))
		}
		p.Rows = append(p.Rows, row)
	}
	p.Foot = ui.Foot{Text: ui.Count(len(list), "person", "people")}
	p.Forms = append([]ui.FormDialog{
		{
			ID: "invite", Title: "Add a person", Action: "/people", Button: "Add the person", Busy: "Adding…",
			Text: "They can sign in at once. Tell them the password on another way than by mail; they change it on this page.",
			Fields: []ui.Field{
				{ID: "person-name", Name: "name", Label: "Name", Complete: "off", MaxLength: 100}, {ID: "person-email", Name: "email", Label: "E-mail", Type: "email", Complete: "off", Spellfree: true},
				{ID: "person-role", Name: "role", Label: "Role", Type: "select", Options: roles},
				{ID: "person-password", Name: "password", Label: "First password", Type: "password", Complete: "new-password", Hint: "At least 12 characters."},
			},
		},
		{
			ID: "password", Title: "Change my password", Action: "/people/password", Button: "Change the password", Busy: "Changing…",
			Text: "All your other sessions end.",
			Fields: []ui.Field{
				{ID: "former", Label: "Password until now", Type: "password", Complete: "current-password"},
				{ID: "new-password", Name: "new", Label: "New password", Type: "password", Complete: "new-password", Hint: "At least 12 characters."},
			},
		},
	}, p.Forms...)
	return p, nil
}

func personRow(v *visit, u account.User) ui.PersonRow {
	row := ui.PersonRow{Email: u.Email, Role: u.Role.Title(), State: "Active", Tone: ui.ToneOK, Last: "never"}
	if !u.LastSignInAt.IsZero() {
		row.Last = v.when(u.LastSignInAt)
	}
	switch {
	case !u.Active:
		row.State, row.Tone = "Inactive", ui.ToneDraft
	case u.LastSignInAt.IsZero():
		row.State, row.Tone = "Not signed in yet", ui.ToneWaiting
	}
	return row
}

// changeForm is the dialog with what can be changed of a person.
func changeForm(u account.User, roles []ui.Option) ui.FormDialog {
	active := "yes"
	if !u.Active {
		active = "no"
	}
	id := string(u.ID)
	return ui.FormDialog{
		ID: "person-" + id, Title: "Change " + u.Name, Action: "/people/" + id, Button: "Save", Text: "A changed role or an inactive person is signed out everywhere at once.",
		Fields: []ui.Field{
			{ID: "role-" + id, Name: "role", Label: "Role", Type: "select", Value: string(u.Role), Options: roles},
			{ID: "active-" + id, Name: "active", Label: "May sign in", Type: "select", Value: active, Options: []ui.Option{{Value: "yes", Label: "Yes"}, {Value: "no", Label: "No"}}},
		},
	}
}

// addPerson: POST /people.
func (s *Server) addPerson(v *visit) error {
	_, err := s.People.CreateUser(v.ctx(), v.me, account.User{
		Org: v.me.Org, Role: account.Role(v.form("role")), Name: v.form("name"), Email: v.form("email"), Language: "en-US",
	}, v.r.PostFormValue("password"))
	if err == nil {
		return v.to("/people", v.form("email")+" can sign in now")
	}
	return s.personRefused(v, "invite", err, map[string]string{"name": "person-name", "email": "person-email", "password": "person-password", "role": "person-role"})
}

// personRefused opens the dialog again with what is wrong; names and addresses
// are kept, passwords never.
func (s *Server) personRefused(v *visit, dialog string, cause error, ids map[string]string) error {
	if k := fault.KindOf(cause); k != fault.Invalid && k != fault.Conflict && k != fault.Unavailable {
		return cause
	}
	errs, _ := errorsOf(cause, nil, ids)
	p, err := s.peoplePage(v)
	if err != nil {
		return err
	}
	for i := range p.Forms {
		f := &p.Forms[i]
		if f.ID != dialog {
			continue
		}
		f.Open, f.Errors = true, errs
		for j := range f.Fields {
			x := &f.Fields[j]
			x.Error = errs.For(x.ID)
			if name := or(x.Name, x.ID); x.Type != "password" && v.r.PostForm.Has(name) {
				x.Value = v.form(name)
			}
		}
	}
	v.part(statusOf(cause), ui.People(p))
	return nil
}

// changePerson: POST /people/{user} changes a role, or whether a person may sign in.
func (s *Server) changePerson(v *visit) error {
	u, err := s.People.User(v.ctx(), account.UserID(v.r.PathValue("user")))
	if err != nil {
		return err
	}
	if u.Org != v.me.Org { // staff change a customer's people through the API only
		return fault.New(fault.NotFound, "There is no such person.")
	}
	if role := account.Role(v.form("role")); role != "" {
		u.Role = role
	}
	switch v.form("active") {
	case "yes":
		u.Active = true
	case "no":
		u.Active = false
	}
	if _, err = s.People.UpdateUser(v.ctx(), v.me, u); err != nil {
		return s.personRefused(v, "person-"+string(u.ID), err, map[string]string{"role": "role-" + string(u.ID)})
	}
	return v.to("/people", u.Email+" changed")
}

// changePassword: POST /people/password gives a person a new password of their
// own, after the former one. All other sessions end.
func (s *Server) changePassword(v *visit) error {
	field := "former"
	err := s.People.Reauthenticate(v.ctx(), v.me, v.r.PostFormValue("former"))
	if err == nil {
		field = "new-password"
		err = s.People.SetPassword(v.ctx(), v.me, v.me.User, v.r.PostFormValue("new"))
	}
	if err != nil {
		return s.personRefused(v, "password", err, map[string]string{"password": field})
	}
	if err := s.sessions.RenewToken(v.ctx()); err != nil {
		return err
	}
	s.signedInNow(v)
	http.Redirect(v.w, v.r, "/people", http.StatusSeeOther)
	return nil
}
