package api

import (
	"context"
	"time"

	"causeway/internal/account"
	"causeway/internal/fault"
)

// Me is who calls.
type Me struct {
	User         string     `json:"user"`
	Name         string     `json:"name"`
	Email        string     `json:"email"`
	Role         string     `json:"role" enum:"owner,finance,support,read-only,administrator,member"`
	Organization string     `json:"organization,omitempty" doc:"Missing for the partner's staff."`
	Staff        bool       `json:"staff"`
	Token        *TokenView `json:"token,omitempty" doc:"The token of this call."`
}

// TokenView is a token as it is shown: never its secret.
type TokenView struct {
	ID         string     `json:"id"`
	User       string     `json:"user"`
	Name       string     `json:"name"`
	Scope      string     `json:"scope" enum:"all,read"`
	Hint       string     `json:"hint" doc:"The last four characters of the secret."`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  time.Time  `json:"expires_at"`
	LastUsedAt *time.Time `json:"last_used_at,omitempty"`
	RevokedAt  *time.Time `json:"revoked_at,omitempty"`
}

// NewToken is a token with its secret, which is shown this once and kept nowhere.
type NewToken struct {
	Token  TokenView `json:"token"`
	Secret string    `json:"secret" doc:"Shown once; empty in a repeated answer."`
}

type loginIn struct {
	Body struct {
		Email    string `json:"email" maxLength:"254"`
		Password string `json:"password" maxLength:"1000"`
		Name     string `json:"name" maxLength:"100" doc:"To tell tokens apart, e.g. the machine's name."`
		Scope    string `json:"scope,omitempty" enum:"all,read" default:"all"`
		Days     int    `json:"days,omitempty" minimum:"1" maximum:"365" default:"30" doc:"How long it lasts."`
	}
}

type newTokenIn struct {
	Body struct {
		Name  string `json:"name" maxLength:"100"`
		Scope string `json:"scope,omitempty" enum:"all,read" default:"all"`
		Days  int    `json:"days,omitempty" minimum:"1" maximum:"365" default:"90"`
	}
}

type tokensIn struct {
	User string `query:"user" maxLength:"100" doc:"Whose; left out: one's own."`
}

func (s *Server) routeTokens() {
	handle(s, op{id: "login", is: "POST /tokens/login", tag: "tokens", text: "Sign in with e-mail and password and get a token", public: true, created: true,
		more: "Tries are limited per address and per network address. The password is used once. An Idempotency-Key means nothing here: every call makes a token of its own."}, s.login)
	handle(s, op{id: "get-me", is: "GET /me", tag: "tokens", text: "Who calls"}, s.me)
	handle(s, op{id: "list-tokens", is: "GET /tokens", tag: "tokens", text: "List tokens", act: account.ActTokenOwn}, s.listTokens)
	handle(s, op{id: "create-token", is: "POST /tokens", tag: "tokens", text: "Make a token of one's own", act: account.ActTokenOwn, created: true}, s.createToken)
	act(s, op{id: "revoke-token", is: "DELETE /tokens/{id}", tag: "tokens", text: "End a token at once", act: account.ActTokenOwn}, s.revokeToken)
}

func (s *Server) login(ctx context.Context, _ account.Actor, in *loginIn) (NewToken, error) {
	from, _ := ctx.Value(ctxAddress).(string)
	u, err := s.People.SignIn(ctx, in.Body.Email, in.Body.Password, from)
	if err != nil {
		return NewToken{}, err
	}
	t, secret, err := s.People.CreateToken(ctx, u.Actor(from), in.Body.Name, account.Scope(in.Body.Scope), s.Now().AddDate(0, 0, in.Body.Days))
	return NewToken{viewToken(t), secret}, err
}

func (s *Server) me(ctx context.Context, a account.Actor, _ *none) (Me, error) {
	me := Me{User: string(a.User), Name: a.Name, Email: a.Email, Role: string(a.Role), Organization: string(a.Org), Staff: a.Staff()}
	list, err := s.People.Tokens(ctx, a, a.User)
	if err != nil && fault.KindOf(err) != fault.Forbidden { // a token that may only read may not list tokens
		return me, err
	}
	for _, t := range list {
		if t.ID == a.Token {
			v := viewToken(t)
			me.Token = &v
		}
	}
	return me, nil
}

func (s *Server) listTokens(ctx context.Context, a account.Actor, in *tokensIn) (Page[TokenView], error) {
	of := account.UserID(in.User)
	if of == "" {
		of = a.User
	}
	list, err := s.People.Tokens(ctx, a, of)
	return Page[TokenView]{Items: each(list, viewToken)}, err
}

func (s *Server) createToken(ctx context.Context, a account.Actor, in *newTokenIn) (NewToken, error) {
	t, secret, err := s.People.CreateToken(ctx, a, in.Body.Name, account.Scope(in.Body.Scope), s.Now().AddDate(0, 0, in.Body.Days))
	return NewToken{viewToken(t), secret}, err
}

func viewToken(t account.Token) TokenView {
	return TokenView{
		ID: t.ID, User: string(t.User), Name: t.Name, Scope: string(t.Scope), Hint: t.Hint, CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt,
		LastUsedAt: when(t.LastUsedAt), RevokedAt: when(t.RevokedAt),
	}
}

// when leaves out an instant that never was.
func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// revokeToken ends a token. Which tokens the partner's staff have is nothing
// that a customer learns: they are not there.
func (s *Server) revokeToken(ctx context.Context, a account.Actor, in *ByID) error {
	err := s.People.RevokeToken(ctx, a, in.ID)
	f := fault.Of(err)
	if f != nil && f.Kind == fault.Forbidden && !a.Staff() && len(f.Refusals) > 0 && f.Refusals[0].Code == "missing-right" {
		return fault.New(fault.NotFound, "There is no such token.")
	}
	return err
}
