import { expect, test } from "vitest";
import { didYouMean } from "./did-you-mean.ts";

const known = ["username", "password", "tag", "tag_regex", "insecure"];

test.each([
  ["usernme", "username"],
  ["user_name", "username"],
  ["USERNAME", "username"],
  ["passwrod", "password"],
  ["tga", "tag"],
  ["tag-regex", "tag_regex"],
  ["insecure_registries", "insecure"],
])("%s was meant to be %s", (word, meant) => {
  expect(didYouMean(word, known)).toBe(meant);
});

test.each(["", "xyz", "repository", "t", "username".repeat(10_000).slice(3)])("%.20s is like none of them", (word) => {
  expect(didYouMean(word, known)).toBeUndefined();
});
