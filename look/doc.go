// Package look is how the pages of a sale look in its organizer's hands: a logo, a few
// colors, a title, a message, a link to help, and the domains on which they are shown.
//
// Everything is checked where it is taken in: texts are plain, and stay so in HTML;
// colors hold WCAG AA against what they stand on, in light and in dark. What a page gets
// of it is written here once, so that the preview shows what a fan will see. It knows
// neither pictures nor storage: whoever has a logo says how large it is and where.
package look
