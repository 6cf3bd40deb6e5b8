import { Top } from "../look/Top";
import { home as words } from "../messages/en";

export function HomeTop() {
  return (
    <Top>
      <nav class="ways" aria-label={words.nav}>
        <a href="/coupons">{words.coupons}</a>
        <a href="/account">{words.account}</a>
      </nav>
    </Top>
  );
}
