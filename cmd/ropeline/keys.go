package main

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/booking/mail"
	"github.com/ropeline/ropeline/booking/oidc"
	"github.com/ropeline/ropeline/booking/people"
	"github.com/ropeline/ropeline/booking/ticket"
	"github.com/ropeline/ropeline/edge/visitor"
)

// keyFolder is the folder of an installation's secrets. Each part reads only
// the files that it needs, so they can be given out one by one.
type keyFolder string

// The files of a key folder.
const (
	admissionKey    = "admission.key"  // signs admission tokens: the edges'
	admissionPublic = "admission.pub"  // JWKS: the booking core's
	placeKey        = "place.key"      // signs place tickets: the edges'
	seedKey         = "seed.key"       // encrypts the draw's seed: the admission part's
	ledgerKey       = "ledger.key"     // signs the ledgers' heads: the admission part's
	ledgerPublic    = "ledger.pub"     // JWKS, for everybody who checks a ledger
	codeKey         = "code.key"       // what is kept of presale codes is made with it: the edges', the admission part's and the booking core's
	badgeKey        = "badge.key"      // signs who may steer by an account: the booking core's
	badgePublic     = "badge.pub"      // JWKS: the admission part's
	orderKey        = "order.key"      // makes order links: the booking core's
	peopleKey       = "people.key"     // seals what is known of people who have accounts: the booking core's and the worker's
	ticketKey       = "ticket.key"     // the keys of tickets on phones are derived from it: the booking core's
	termsKey        = "terms.key"      // signs terms sheets: whoever publishes sales
	termsPublic     = "terms.pub"      // JWKS: the edges serve it
	inviteKey       = "invite.key"     // signs invitations: the organizer's
	invitePublic    = "invite.pub"     // checks them, one organizer a line: the edges'
	accountsFile    = "accounts.json"  // which foreign logins are believed, with the names of their keys: the edges'
	providersFile   = "providers.json" // where else people may sign in, with the names of their secrets: the booking core's
	staffFile       = "staff"          // who may use the staff's API: the admission part's
)

func (k keyFolder) path(name string) string { return filepath.Join(string(k), name) }

// init makes the keys that are missing and returns their names.
func (k keyFolder) init() (made []string, err error) {
	if err := os.MkdirAll(string(k), 0o700); err != nil {
		return nil, fmt.Errorf("making the key folder: %w", err)
	}
	for _, name := range []string{placeKey, seedKey, codeKey, orderKey, peopleKey, ticketKey} {
		text := hex.EncodeToString(random(32)) + "\n"
		if made, err = k.add(made, name, []byte(text)); err != nil {
			return made, err
		}
	}
	for _, pair := range [][2]string{{admissionKey, admissionPublic}, {termsKey, termsPublic}, {ledgerKey, ledgerPublic}, {badgeKey, badgePublic}} {
		if made, err = k.addPair(made, pair[0], pair[1]); err != nil {
			return made, err
		}
	}
	private, public, err := visitor.GenerateInviter()
	if err != nil {
		return made, err
	}
	if made, err = k.add(made, inviteKey, []byte(private)); err != nil {
		return made, err
	}
	if made, err = k.add(made, invitePublic, []byte(public)); err != nil {
		return made, err
	}
	return k.add(made, staffFile, nil)
}

// addPair makes a key that signs, and the file that trusts it.
func (k keyFolder) addPair(made []string, private, public string) ([]string, error) {
	text, err := admission.GenerateKey()
	if err != nil {
		return made, err
	}
	if made, err = k.add(made, private, []byte(text)); err != nil {
		return made, err
	}
	signer, err := admission.LoadSigner(k.path(private))
	if err != nil {
		return made, err
	}
	jwks, err := signer.KeySet().JWKS()
	if err != nil {
		return made, err
	}
	return k.add(made, public, jwks)
}

// termsJWKS is what edges serve of terms.pub. A folder that was made before there
// were terms has none.
func (k keyFolder) termsJWKS() ([]byte, error) {
	keys, err := token.LoadKeySet(k.path(termsPublic))
	if errors.Is(err, os.ErrNotExist) {
		return []byte(`{"keys":[]}`), nil
	}
	if err != nil {
		return nil, err
	}
	return keys.JWKS()
}

// ledgerSigner loads the key of the ledgers; nil if there is none: they are not
// signed then.
func (k keyFolder) ledgerSigner() (*admission.Signer, error) {
	signer, err := admission.LoadSigner(k.path(ledgerKey))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil //nolint:nilnil // as said
	}
	return signer, err
}

// badgeSigner loads the key of badges; nil if there is none: the operations are for keys
// of the file alone then.
func (k keyFolder) badgeSigner() (*admission.Signer, error) {
	signer, err := admission.LoadSigner(k.path(badgeKey))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil //nolint:nilnil // as said
	}
	return signer, err
}

// badges opens what badges are checked with; nil if there is nothing.
func (k keyFolder) badges(log *slog.Logger) (*token.File, error) {
	if _, err := os.Stat(k.path(badgePublic)); errors.Is(err, os.ErrNotExist) {
		return nil, nil //nolint:nilnil // as said
	}
	return token.OpenFile(k.path(badgePublic), log)
}

// add makes one file whole or not at all, unless it is there.
func (k keyFolder) add(made []string, name string, content []byte) ([]string, error) {
	draft, err := os.CreateTemp(string(k), name+".*") // mode 0600
	if err != nil {
		return made, fmt.Errorf("making %s: %w", name, err)
	}
	defer os.Remove(draft.Name())
	_, err = draft.Write(content)
	if err := errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return made, fmt.Errorf("making %s: %w", name, err)
	}
	err = os.Link(draft.Name(), k.path(name)) // never overwrites
	if errors.Is(err, os.ErrExist) {
		return made, nil
	}
	if err != nil {
		return made, fmt.Errorf("making %s: %w", name, err)
	}
	return append(made, name), nil
}

// secret reads a symmetric key.
func (k keyFolder) secret(name string) ([]byte, error) {
	text, err := os.ReadFile(k.path(name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s is missing; make it with: ropeline keygen init --keys %s", k.path(name), k)
	}
	if err != nil {
		return nil, fmt.Errorf("reading key: %w", err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("%s is damaged: want 64 hexadecimal digits", k.path(name))
	}
	return key, nil
}

// codes reads the key of presale codes. A folder that was made before there were
// codes has none: codes cannot be checked then.
func (k keyFolder) codes() ([]byte, error) {
	if _, err := os.Stat(k.path(codeKey)); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return k.secret(codeKey)
}

// tickets reads the keys of tickets on phones. A folder that was made before there were
// any has none: tickets have their printed code only then.
func (k keyFolder) tickets() (ticket.Keys, error) {
	content, err := os.ReadFile(k.path(ticketKey))
	if errors.Is(err, os.ErrNotExist) {
		return ticket.Keys{}, nil
	}
	if err != nil {
		return ticket.Keys{}, fmt.Errorf("reading key: %w", err)
	}
	keys, err := ticket.ParseKeys(string(content))
	if err == nil && !keys.Are() {
		err = errors.New("there is none in it")
	}
	if err != nil {
		return ticket.Keys{}, fmt.Errorf("%s: %w", k.path(ticketKey), err)
	}
	return keys, nil
}

// people reads the key of accounts. A folder that was made before there were any has
// none: there are no accounts then.
func (k keyFolder) people() (people.Keys, error) {
	if _, err := os.Stat(k.path(peopleKey)); errors.Is(err, os.ErrNotExist) {
		return people.Keys{}, nil
	}
	secret, err := k.secret(peopleKey)
	if err != nil {
		return people.Keys{}, err
	}
	return people.NewKeys(secret)
}

// providers reads where else people may sign in, to come back to a site; nil: nowhere.
func (k keyFolder) providers(site string) (*oidc.Providers, error) {
	configs, err := oidc.Load(k.path(providersFile))
	if err != nil || len(configs) == 0 {
		return nil, err
	}
	if site == "" {
		return nil, fmt.Errorf("%s: who signs in elsewhere comes back to our pages: say where they are, with --site", k.path(providersFile))
	}
	secret, err := k.secret(peopleKey)
	if err != nil {
		return nil, fmt.Errorf("%s: who signs in elsewhere has an account here: %w", k.path(providersFile), err)
	}
	return oidc.New(configs, site, secret, time.Now)
}

// addStaff appends a person and returns their new key, which is kept nowhere.
func (k keyFolder) addStaff(name, role, organization string) (key string, err error) {
	key, line, err := admission.NewStaffKey(name, role, organization)
	if err != nil {
		return "", err
	}
	old, err := os.ReadFile(k.path(staffFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("reading staff: %w", err)
	}
	for known := range strings.Lines(string(old)) {
		if strings.HasPrefix(known, name+" ") {
			return "", fmt.Errorf("%s is in %s already; remove that line first", name, k.path(staffFile))
		}
	}
	if len(old) > 0 && !bytes.HasSuffix(old, []byte("\n")) {
		line = "\n" + line
	}
	f, err := os.OpenFile(k.path(staffFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return "", fmt.Errorf("adding to staff: %w", err)
	}
	_, err = f.WriteString(line)
	if err := errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("adding to staff: %w", err)
	}
	return key, nil
}

// devStaff returns the key of the member of staff that `dev` signs in. Unlike
// others' it is kept, so that the link stays the same.
func (k keyFolder) devStaff() (string, error) {
	const file = "dev-staff.key"
	key, err := os.ReadFile(k.path(file))
	if err == nil {
		return strings.TrimSpace(string(key)), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("reading the staff key: %w", err)
	}
	name := "dev-" + strings.ToLower(rand.Text()[:6]) // another one if the file got lost
	fresh, err := k.addStaff(name, admission.RoleSRE, "")
	if err != nil {
		return "", err
	}
	_, err = k.add(nil, file, []byte(fresh+"\n"))
	return fresh, err
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails; it ends the process instead
	return b
}

// mailReports are the secrets that the mail provider signs its reports with, one a line; none
// where there is no such file: nothing is heard of it then.
func (k keyFolder) mailReports() (mail.Secrets, error) {
	text, err := os.ReadFile(k.path(mailReportsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the secrets of the mail provider: %w", err)
	}
	secrets := mail.Secrets(strings.Fields(string(text)))
	if err := mail.CheckSecrets(secrets); err != nil || len(secrets) == 0 {
		return nil, fmt.Errorf("%s: %w", k.path(mailReportsFile), errors.Join(err, map[bool]error{true: errors.New("there is no secret in it")}[len(secrets) == 0]))
	}
	return secrets, nil
}

// mailReportsFile is where those are.
const mailReportsFile = "mail-reports"
