package people

import (
	"fmt"
	"strings"
)

// Text is what a letter says. Its link leads to a page of the site; what it carries stands
// behind #, so that no server on the way writes it down.
func (l Letter) Text(site string) (subject, text string) {
	link := fmt.Sprintf("%s/account#%s=%s", site, l.Purpose, l.Token)
	switch l.Purpose {
	case Confirm:
		return "Confirm your e-mail address", "Somebody, you we hope, wants an account with this e-mail address at\n" + site +
			"\n\nTo have it, open this link and enter the password that you chose:\n\n" + link +
			"\n\nThe link is good for a day. If it was not you, do nothing: without you there is no account.\n"
	case Reset:
		return "A new password", "Somebody, you we hope, has forgotten the password of your account at\n" + site +
			"\n\nTo choose another one, open this link:\n\n" + link +
			"\n\nThe link is good for an hour. If it was not you, do nothing: your password stays as it is.\n"
	case Email:
		return "Confirm your new e-mail address", "Somebody, you we hope, wants to use this e-mail address for an account at\n" + site +
			"\n\nIf that is right, open this link:\n\n" + link +
			"\n\nThe link is good for a day. If it was not you, do nothing.\n"
	case Invited:
		where := l.About
		if where == "" {
			where = "whoever runs it"
		}
		return "You are invited to work with us", "At\n" + site + "\n\nyou are invited to work for " + where + " as: " + strings.Join(l.Roles, ", ") +
			"\n\nTo take it, open this link, and sign in or make an account with this e-mail address:\n\n" + link +
			"\n\nThe link is good for a week. Your account needs a second factor for this work. If you do not know what this is about, do nothing.\n"
	case Left:
		return "Your account has another e-mail address", "The e-mail address of your account at\n" + site +
			"\n\nwas changed: it is not this one any more. If it was not you, write to whoever sells you tickets there.\n"
	default: // Exists
		return "You have an account already", "Somebody, you we hope, wanted to make an account with this e-mail address at\n" + site +
			"\n\nYou have one already. If you have forgotten its password, choose another one at\n\n" + site + "/account#forgot\n\nIf it was not you, do nothing: nobody was told.\n"
	}
}
