package admission

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ropeline/ropeline"
)

// Member is somebody on the staff.
type Member struct {
	Name         string
	Role         string
	Organization string            // its slug; empty: whoever runs the installation
	hash         [sha256.Size]byte // of the key
	until        time.Time         // of who came with an account; zero: with a key
}

// Staff is the list of those who may steer a sale, by their keys. The file has
// a line "name role sha256-of-key" each, and the slug of an organization behind that if
// they work for another one than whoever runs the installation; taking somebody off the list is
// deleting their line and restarting the admission part.
type Staff struct{ members []Member }

// The roles. An SRE may do everything; the backend of a shop has a key of its own
// and may end sessions; a vendor makes and redeems the coupons of the shop that
// is their name up to its first dot; the box office sells at its counter;
// an organizer makes venues, programs and reserves; at the door tickets are scanned, and a
// supervisor takes scans back.
const (
	RoleSRE        = "sre"
	RoleShop       = "shop"
	RoleVendor     = "vendor"
	RoleBoxOffice  = "boxoffice"
	RoleOrganizer  = "organizer"
	RoleDoor       = "door"
	RoleSupervisor = "supervisor"
)

var roles = []string{RoleSRE, RoleShop, RoleVendor, RoleBoxOffice, RoleOrganizer, RoleDoor, RoleSupervisor}

func checkRole(role string) error {
	if !slices.Contains(roles, role) {
		return fmt.Errorf("role %q: the roles are: %s", role, strings.Join(roles, ", "))
	}
	return nil
}

var errShopOnly = &ropeline.Error{Kind: ropeline.Forbidden, Code: "shop-key", Detail: "The key of a shop ends sessions and does nothing else."}

var errBoxOfficeOnly = &ropeline.Error{Kind: ropeline.Forbidden, Code: "box-office-key", Detail: "The key of a box office sells at its counter and does nothing else."}

var errDoorOnly = &ropeline.Error{Kind: ropeline.Forbidden, Code: "door-key", Detail: "The key of a door scans tickets and does nothing else."}

var errOrganizerOnly = &ropeline.Error{Kind: ropeline.Forbidden, Code: "organizer-key", Detail: "The key of an organizer is for venues, programs and reserves and nothing else."}

var errVendorOnly = &ropeline.Error{Kind: ropeline.Forbidden, Code: "vendor-key", Detail: "The key of a vendor opens the desk of their shop and nothing else."}

var staffWord = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// LoadStaff reads the list. A file that is not there is an empty list.
func LoadStaff(path string) (*Staff, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &Staff{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("loading staff: %w", err)
	}
	defer f.Close()
	staff := &Staff{}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		m, err := parseMember(text)
		if err != nil {
			return nil, fmt.Errorf("loading staff: %s line %d: %w", path, n, err)
		}
		staff.members = append(staff.members, m)
	}
	return staff, lines.Err()
}

func parseMember(text string) (Member, error) {
	words := strings.Fields(text)
	if len(words) != 3 && len(words) != 4 {
		return Member{}, errors.New("want: name role sha256-of-key, and an organization's slug if there is one")
	}
	m := Member{Name: words[0], Role: words[1]}
	if len(words) == 4 {
		m.Organization = words[3]
	}
	if err := m.check(); err != nil {
		return Member{}, err
	}
	hash, err := hex.DecodeString(words[2])
	if err != nil || len(hash) != len(m.hash) {
		return Member{}, errors.New("the key's hash is not 64 hexadecimal digits")
	}
	copy(m.hash[:], hash)
	return m, nil
}

// check refuses a role that is none, or is none of an organization's.
func (m Member) check() error {
	if err := checkRole(m.Role); err != nil || m.Organization == "" {
		return err
	}
	if m.Role == RoleSRE || !staffWord.MatchString(m.Organization) {
		return fmt.Errorf("organization %q: it is a slug of lower-case letters, digits and hyphens, and SREs have none", m.Organization)
	}
	return nil
}

// NewStaffKey makes a key for a member and the line that lets it in. The key
// is shown once and stored nowhere. Organization is a slug, or empty.
func NewStaffKey(name, role, organization string) (staffKey, line string, err error) {
	if !staffWord.MatchString(name) {
		return "", "", fmt.Errorf("staff name %q: use lower-case letters, digits, dots, hyphens", name)
	}
	if err := (Member{Role: role, Organization: organization}).check(); err != nil {
		return "", "", fmt.Errorf("staff %w", err)
	}
	raw := make([]byte, 24)
	for staffKey == "" || staffKey[0] == '-' { // which a command line would take for a flag
		rand.Read(raw)
		staffKey = base64.RawURLEncoding.EncodeToString(raw)
	}
	hash := sha256.Sum256([]byte(staffKey))
	return staffKey, strings.TrimSpace(fmt.Sprintf("%s %s %x %s", name, role, hash, organization)) + "\n", nil
}

// Find returns the member whose key this is, or ropeline.ErrStaffRequired.
func (s *Staff) Find(staffKey string) (Member, error) {
	hash := sha256.Sum256([]byte(staffKey))
	for _, m := range s.members {
		if subtle.ConstantTimeCompare(hash[:], m.hash[:]) == 1 {
			return m, nil
		}
	}
	return Member{}, ropeline.ErrStaffRequired
}
