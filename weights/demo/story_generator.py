#!/usr/bin/env python3
"""Write short made-up children's stories from a seeded probabilistic grammar.

The same --seed always gives the same stories. Every sentence pattern and word list here was
written for this project, so the output can be used freely under the project's licence.

Template language: [a|b|c] picks one alternative (nesting allowed, an empty one is fine),
{slot} inserts a value, {Slot} inserts it with a capital. "a" becomes "an" where needed.
"""
import argparse
import random
import re
import sys

GIRLS = ("Anna Lucy Mia Nora Ruby Clara Elsa Ivy Maya Rosa Tilly Zoe Hazel Penny Molly Daisy Stella Freya "
         "Alma Bella Holly Greta Nina Sofia Lena Emma Grace Alice Julia Paula Wendy Iris Martha Olive Tara Vera June").split()
BOYS = ("Tom Ben Max Leo Sam Finn Oscar Theo Jack Noah Felix Hugo Arlo Toby Milo Ned Eddie Kai Luca Ravi Otto "
        "Jonah Peter Simon Archie Adam Dylan George Henry Isaac Jasper Liam Martin Owen Paul Robin Victor Walter").split()
PETS = ("Pip Bramble Pepper Dot Button Clover Biscuit Mossy Twig Nibbles Pebble Tumble Willow Fern Honey Patch "
        "Rusty Sunny Whisper Bean Acorn Puddle Maple Cricket Thistle Barley Cinnamon Dusty Flicker Ginger Hopper Jingle Marble "
        "Nutmeg Poppy Quill Snowy Velvet Waffle Ziggy").split()
ANIMALS = ("fox rabbit mouse bear squirrel hedgehog frog duck owl cat dog otter badger turtle deer goat lamb pony "
           "robin beaver mole crow goose kitten puppy donkey sheep hen pig wolf swan seal parrot camel monkey tiger lion elephant "
           "penguin hamster lizard dragon").split()
TRAITS = ("brave kind curious quiet shy clever cheerful gentle patient silly careful busy proud sleepy lonely "
          "stubborn polite merry loyal calm funny friendly lazy hungry thoughtful helpful nervous cautious").split()
SIZES = "little small tiny young".split()
HOME_SIZES = "little small big cosy pretty".split()
COLOURS = "red blue green yellow purple orange silver golden white brown pink grey".split()
MATERIALS = "wooden woollen shiny soft old new striped tiny warm smooth".split()
THINGS = ("scarf kite ball drum bell hat boat lantern button key ring mitten whistle basket book feather coin "
          "blanket umbrella cup spoon map shell ribbon toy necklace mirror candle teapot trumpet violin balloon wagon sled puppet "
          "pillow bottle crown brush bucket picture").split()
FOODS = ("apples carrots pancakes berries muffins cookies plums nuts pears cherries buns strawberries biscuits "
         "peaches cakes tarts grapes turnips potatoes sandwiches walnuts oranges lemons").split()
MEALS = ("[carrot|pumpkin|tomato|bean|mushroom|pea] soup", "[apple|cherry|plum|pumpkin|berry] pie",
         "[honey|lemon|ginger|carrot] cake", "warm bread [and butter|with jam|with honey]")
PLACES = ("forest meadow village valley garden farm hill lake river beach island orchard mountain town pond "
          "castle mill bridge harbour field desert market school cliff waterfall cave lighthouse canyon").split()
HOMES = ("house cottage burrow hut cabin treehouse tent boathouse").split()
SPOTS = ("under the [old|tall|crooked] [oak|bridge|wall|stairs]", "behind the [barn|shed|gate|mill|bakery]",
         "beside the [well|pond|stream|fence]", "inside [a hollow log|the kitchen drawer|an empty barrel|the dark cave]",
         "near the [big rock|rose bushes|mossy stones|tall grass]", "on top of the [hill|hay|roof|bookshelf]")
WEATHER = ("sunny rainy windy foggy snowy cloudy frosty warm cold stormy").split()
JOBS = ("baker farmer fisherman gardener teacher painter shopkeeper carpenter librarian miller tailor postman").split()
FAMILY = (("mother", "she"), ("father", "he"), ("grandmother", "she"), ("grandfather", "he"),
          ("aunt", "she"), ("uncle", "he"), ("sister", "she"), ("brother", "he"))
SKILLS = (("swim", "swimming", "water"), ("climb trees", "climbing", "high branches"), ("sing", "singing", "big crowds"),
          ("skate", "skating", "slippery ice"), ("dance", "dancing", "stage"), ("row a boat", "rowing", "deep lake"),
          ("ride a bicycle", "riding", "steep road"), ("whistle", "whistling", "long silence"),
          ("jump over the stream", "jumping", "fast stream"), ("sleep without a light", "sleeping", "dark room"))
FEELINGS_BAD = "sad worried upset lonely cross gloomy unhappy miserable".split()
FEELINGS_GOOD = "happy proud glad cheerful thankful delighted".split()
SOUNDS = "crash bang splash thump whoosh crunch squeak rattle".split()
PRONOUNS = {"she": ("she", "her", "her", "herself"), "he": ("he", "him", "his", "himself")}
NUMBERS = "two three four five six seven eight nine ten".split()

OPENINGS = (
    "Once upon a time, there was a {size} {kind} named {name}. {name} lived in a {hsize} {home} [near|beside|not far from] the "
    "{place}. {He} was very {trait}, and {he} loved to [play|read|paint|sing|explore|run|dance|cook] [with {his} friends|in the "
    "mornings|all day long|after breakfast].",
    "Once upon a time, in a [quiet|faraway|pretty|busy] land by [a|the] {place}, there lived a {trait} {kind} [named|called] "
    "{name}. [Everyone|All the neighbours] liked {name} because {he} was always [ready to help|full of ideas|smiling|telling "
    "funny stories].",
    "One {weather} [morning|afternoon|day], a {size} {kind} named {name} [looked out of the window|woke up early|went for a walk] "
    "near the {place}. {name} was a {trait} {kind}, and {he} [never stayed still for long|had many friends|liked to ask "
    "questions|knew every path].",
    "{name} was a {trait} {kind} who lived near the {place}. Every day, {he} [fed the birds|swept the floor|picked "
    "flowers|counted the clouds] and [waved to|talked with|sang for] {his} {fam}.",
    "Long ago, a {trait} {kind} called {name} lived with {his} {fam} in a {home} by the {place}. [They had little money, but they "
    "were happy.|They worked hard and laughed often.|In the evenings, they sat by the fire and told stories.]",
    "Every {weather} [morning|evening], a {trait} {kind} named {name} [sat|walked|played] by the {place} with {his} {fam}. [They "
    "talked about everything.|{He} liked the smell of {food}.|{He} always wore a {colour2} {thing2}.|{He} knew {num} songs.]",
    "This is the story of {name}, a {size} {kind} with a {colour2} {thing2}. {He} lived in a {hsize} {home} with {his} {fam}, and "
    "[everyone in the {place} knew {him}|{he} was [very|always] {trait}|{he} had many friends].",
    "There was once a {size} {kind} named {name}. {name} had {num} [brothers|sisters|friends|cousins], and {he} was a very "
    "{trait} {kind}.",
)
MEET = (
    "[On the way|Soon|A little later|Near the {place2}], {he} met {fname}, a {ftrait} {fkind}. \"[Hello|Good morning|Good day], "
    "{name},\" said {fname}. \"[Where are you going|Why do you look so {bad}|What is the matter]?\"",
    "Just then, {his} friend {fthe} came [hopping|running|walking|hurrying] [by|along the path|over the bridge]. \"[What "
    "happened|Can I help you|Are you all right], {name}?\" asked {fname}.",
    "{Fthe} [heard|saw] {him} and came closer. \"[Do not cry|Do not worry|Please tell me what is wrong], {name},\" {fhe} said "
    "[softly|kindly].",
)
SIDE = (
    "[Along the way|On the path|By the gate], they met a hungry {skind}. {name} gave the {skind} [some|a few|{num} of {his}] "
    "{food}. \"Thank you,\" said the {skind}. \"[I will not forget this|One day I will help you too].\"",
    "Suddenly, it began to [rain|snow|hail]. {name} and {fname} [hid under a big leaf|waited inside an old barn|shared one "
    "umbrella] until the sky was clear again.",
    "\"I am hungry,\" said {fname} after a while. {name} had only one bun, so {he} broke it in two. [\"Half for you and half for "
    "me,\" {he} said.|It tasted better that way.]",
    "A {skind} [sat|was sleeping] on the path. \"You may pass if you can [sing a song|tell me a joke|count to {num2}],\" said the "
    "{skind}. [{Fname}|{name}] [did it at once|tried very hard], and the {skind} [laughed|let them go].",
    "They came to a deep [river|ditch|stream]. There was no bridge, but {fname} found {num} [flat stones|old planks]. [Step by "
    "step|Very slowly], they went across, and {name} did not look down.",
    "There was a loud {sound}! [\"What was that?\" whispered {fname}.|{name} jumped, and {fname} giggled.] It was only a {skind} "
    "[chasing a leaf|dropping a bucket|rolling down the hill].",
    "After {num} [minutes|hours], they were tired. They sat down and ate {num2} {food}. [Then they felt strong again.|\"That is "
    "better,\" said {fname}.]",
    "They asked the {job}, but the {job} only [shook a head|smiled] and said, \"[Try|Look|Ask] [near|in|behind] the {place2}.\" "
    "So they went on.",
)
SIDE_BACK = ("[At that moment|Just then], the {skind} came back. \"You were kind to me,\" said the {skind}, \"so now I "
             "will help you.\" ")
ENDINGS = (
    "That [night|evening], {name} [went to bed|fell asleep] with a [big smile|warm heart]. {He} had learned that {moral}.",
    "From that day on, {name} and {fname} were [best friends|always together]. They knew that {moral}.",
    "{name} was very {good}. \"[Now I know|I will remember] that {moral},\" {he} said.",
    "And so {name} learned that {moral}. [The end.|{Fname} agreed.|]",
    "Everyone [clapped|cheered|laughed] and shared {meal}. And {name} never forgot that {moral}.",
    "In the evening, {name} told {his} {fam} about {fname}. \"[You had a good day|I am proud of you],\" said {his} {fam}. "
    "\"[Remember|You see], {moral}.\"",
    "Many years later, {name} still [kept|had] the {colour2} {thing2} in {his} {home}, and {he} still [visited|wrote letters to] "
    "{fname}. {He} always said that {moral}.",
    "[The sun went down|The stars came out], and {name} and {fname} walked home [hand in hand|side by side|singing a song]. "
    "{Moral}.",
)
MORALS = {
    "lost": ("good friends make every search shorter", "it is wise to take care of your things",
             "you should never give up too soon",
             "two pairs of eyes are better than one"),
    "make": ("working together makes hard work easy", "the best gifts are made with love", "patience is the best spice",
             "small hands can make great things"),
    "rescue": ("even the smallest helper can save the day", "kindness always comes back",
               "being brave means helping when you are afraid",
               "a calm head is better than strong arms"),
    "quarrel": ("sharing makes everything more fun", "a friend is worth more than a toy", "saying sorry can mend a friendship",
                "angry words are hard to take back"),
    "skill": ("practice makes hard things easy", "it is all right to be afraid at first", "every fall is a small lesson",
              "you can do more than you think"),
    "wish": ("the best wishes are for others", "you should be careful what you wish for", "happiness cannot be bought with magic",
             "what you have is often enough"),
    "race": ("slow and steady steps go far", "winning is not the most important thing", "a helping hand is better than a prize",
             "boasting does not make you faster"),
    "truth": ("telling the truth is always best", "a small lie can grow very big", "honest words make the heart light",
              "people forgive those who tell the truth"),
    "seed": ("good things take time", "little seeds can grow into big surprises", "those who wait are often rewarded",
             "a garden needs love every day"),
    "storm": ("there is always room for a friend", "a warm home is the best when it is shared", "even a bad storm must end",
              "neighbours should help each other"),
    "journey": ("the journey is as sweet as the end", "home is the best place of all", "you can find beauty close to home",
                "friends make a long road short"),
    "guest": ("you should not be afraid of someone new", "a stranger may become a friend", "a kind word opens every door",
              "it is good to be different"),
}
PLOTS = {
    "lost": (
        "But one {weather} day, {name} could not find {his} {thing}. It was a {colour} {thing}, and {his} {fam} had [made|bought] "
        "it for {him}. {He} looked [under the bed|in every box|in the kitchen], but the {thing} was not there. {name} [felt very "
        "{bad}|began to cry].",
        "MEET",
        "\"I have lost my {colour} {thing},\" {he} [said|answered|told {fhim}]. \"[Then let us look for it together|I will help "
        "you find it|Two of us can look faster],\" said {fname}. First they looked {spot}. [They found only {num} {food}.|They "
        "found only an old spoon.|There was nothing there.]",
        "SIDE",
        "[BACK|]Then they [looked|went to look] {spot2}. [There, in the grass, something was shining.|\"Look over there!\" cried "
        "{fname}.] It was the {colour} {thing}! {name} hugged {fname} and said, \"Thank you! I [thought it was gone|was so "
        "{bad}].\""),
    "make": (
        "One day, it was the birthday of {his} {fam}, and {name} wanted to [make|cook|prepare] {meal}. But there [were no "
        "{food}|was no flour|was no butter] in the {home}. \"What can I do?\" {he} [thought|asked {himself}].",
        "MEET",
        "\"I want to make {meal} for my {fam},\" said {name}, \"but I need [help|more {food}].\" {Fname} smiled. \"I have {num} "
        "{food} [at home|in my basket]. [You may have them all|Let us cook together].\"",
        "SIDE",
        "Back in the {home}, {name} [stirred|mixed] and {fname} [washed the bowls|watched the fire|counted the spoons]. [Once, "
        "the pot fell with a {sound}, but they cleaned the floor and started again.|It took {num2} hours.|Soon the whole {home} "
        "smelled sweet.] At last, the {meal} was ready. {His} {fam} [took one bite|tasted it] and said, \"This is the best {meal} "
        "in the whole land!\""),
    "rescue": (
        "One {weather} day, {name} heard a [small|sad|frightened] voice. \"Help! Help!\" it cried. {He} ran to the {place2} and "
        "saw a {skind} [stuck in a hole|caught in a net|up on a high branch|on a rock in the water]. The {skind} was "
        "[shaking|crying], and its [paw|foot|tail] hurt.",
        "\"[Do not be afraid|Stay still],\" called {name}. \"I will [help you|get you out].\" {He} [pulled|tried] and "
        "[pulled|tried], but {he} was too [small|weak]. So {he} ran to find {fname}, a {ftrait} {fkind} who lived {spot}.",
        "\"[Please come quickly|We must hurry]!\" said {name}. {Fname} [thought for a moment|looked around]. \"We need [a long "
        "rope|a ladder|your {colour} {thing}],\" said {fname}. {name} [ran home|hurried] and brought {his} {colour} {thing} and a "
        "rope.",
        "Together they [counted to {num} and pulled|pulled very slowly|worked for {num2} minutes]. There was a {sound}, and the "
        "{skind} was free! \"[Oh, thank you|You saved me], {name}! [Thank you|And you], {fname}!\" said the {skind}. The {skind} "
        "gave them {num} {food}, and {name} let the {skind} [keep|hold|play with] the {colour} {thing}."),
    "quarrel": (
        "{name} had a friend, {fthe}. One {weather} day, they found a {colour} {thing} {spot}. \"It is mine! I saw it first!\" "
        "said {name}. \"No, it is mine!\" said {fname}. They [pulled and pulled|shouted] until [there was a loud {sound}|the "
        "{thing} broke].",
        "{Fname} went home [without a word|with tears in {fhis} eyes]. {name} kept the {thing}, but {he} was {bad}. [Playing "
        "alone was no fun.|The {home} was too quiet.|{He} could not eat {his} {food}.] {His} {fam} asked, \"Why are you so "
        "{bad}?\"",
        "\"I was not kind to {fname},\" said {name}. {His} {fam} [nodded|smiled]. \"[Then go and say sorry|You know what to do|A "
        "friend is waiting for you],\" {famhe} said.",
        "So {name} [took|carried] the {colour} {thing} and {num} {food} to the {fhome} of {fname}. \"I am sorry, {fname},\" {he} "
        "said. \"[You can have the {thing}|Let us share the {thing}].\" {Fname} [smiled|laughed]. \"I am sorry too,\" {fhe} said. "
        "They [mended the {thing} together|took turns with the {thing}] and ate all the {food}."),
    "skill": (
        "But there was one thing {name} could not do. {He} could not {skill}. All {his} friends [could|knew how to] {skill}, and "
        "{name} was afraid of the {fear}. \"I will never learn,\" {he} said [sadly|quietly].",
        "MEET",
        "\"I want to {skill}, but I am afraid,\" said {name}. \"[I was afraid too|Everyone is afraid at first],\" said {fname}. "
        "\"Come to the {place2} with me, and I will [teach|help] you.\"",
        "On the first day, {name} [fell down {num} times|wanted to go home]. On the second day, it was [a little better|less "
        "scary]. {Fname} said, \"[Well done|Try once more|Do not stop now], {name}!\" So {he} practised {doing} every "
        "[morning|day|evening] for {num2} [days|weeks].",
        "Then, one {weather} day, {name} took a deep breath and tried again. [{He} did it!|It worked!] {name} could {skill}! "
        "\"Look at me!\" {he} [shouted|cried]. {Fname} [clapped|danced] with joy and gave {him} a {colour} {thing}."),
    "wish": (
        "One {weather} night, {name} found a {colour} {thing} {spot}. When {he} [touched|rubbed|picked up] it, a "
        "[tiny|bright|friendly] fairy came out. \"I can give you {wnum} wishes,\" said the fairy. \"[Think well|Choose "
        "carefully]!\"",
        "First, {name} wished for {num} hundred {food}. [There was a {sound}|Whoosh], and the {home} was full of {food}! But soon "
        "{he} [had a stomach ache|could not open the door|was tired of {food}]. Then {he} wished [to be as big as a house|to fly "
        "like a bird|for a {colour2} castle], but [that was no fun alone|{he} felt {bad}].",
        "Then {name} saw {fname}, a {ftrait} {fkind}, sitting {spot2}. {Fname} was {bad} because {fhe} had no [home|food|warm "
        "bed|friends]. {name} looked at the {colour} {thing}. There was only one wish left.",
        "\"I wish that {fname} will be happy,\" said {name}. The {thing} [shone|glowed] brightly, and {fname} [began to "
        "smile|laughed]. \"[That was a good wish|You have a kind heart],\" said the fairy, and {fairybye}."),
    "race": (
        "One day, there was a big race near the {place2}. The prize was a {colour} {thing}. {Fthe} was very fast. \"I will win "
        "the {thing},\" [said|boasted] {fname}. \"You are too [slow|small], {name}.\" {name} felt {bad}, but {he} said, \"I will "
        "try.\"",
        "The {job} [rang a bell|waved a {colour2} flag] and called, \"[One, two, three|Ready, steady], go!\" {Fname} ran ahead, "
        "and {name} came after {fhim}. They ran past the {place} and over the [bridge|hill|stones].",
        "Suddenly, there was a {sound}. {Fname} had fallen into [the mud|a ditch|a thorny bush]! \"[Ouch! My leg hurts|Please "
        "help me]!\" cried {fname}. {name} could [win now|run on], but {he} stopped. {He} [pulled {fname} out|helped {fname} to "
        "stand up], and they walked to the end together.",
        "A {skind} won the race, but nobody was {bad}. \"I am sorry that I laughed at you,\" said {fname}. The {job} gave the "
        "{colour} {thing} to the {skind} and gave {num} {food} to {name} because {he} had been [so kind|a good friend]. {name} "
        "shared them with {fname}."),
    "truth": (
        "One {weather} day, {name} was playing in the {home} and [hit|dropped|kicked] a {colour} {thing}. [Crash|Bang]! The "
        "{thing} broke into {num} pieces. It belonged to {his} {fam}. {name} was afraid, so {he} hid the pieces {spot}.",
        "In the evening, {his} {fam} asked, \"Where is my {colour} {thing}?\" {name} [looked at the floor|turned red]. \"{Fthe} "
        "took it,\" {he} said. That was not true. {His} {fam} was very [surprised|{bad}] and went to [see|talk to] {fname}.",
        "{Fname} said, \"I did not take the {thing},\" and began to cry. {name} saw the tears, and {his} heart felt [heavy|like a "
        "stone]. {He} could not [sleep|eat {his} {food}]. {He} thought about {fname} all night.",
        "In the morning, {name} said, \"I told a lie. I broke the {colour} {thing}. {Fname} did nothing wrong.\" {His} {fam} [was "
        "quiet for a moment|gave {him} a hug]. \"[It was only a {thing}|I am glad you told me],\" {famhe} said. Then {name} [said "
        "sorry to|baked a cake for] {fname}, and they [glued the {thing}|mended the {thing}] together."),
    "seed": (
        "One day, the {job} gave {name} a {size2} {colour} seed. \"[Take good care of it|Plant it and wait],\" said the {job}. "
        "{name} planted the seed {spot} and gave it water. {He} waited {num} days, but nothing happened.",
        "MEET",
        "\"My seed does not grow,\" said {name}. \"[Be patient|Wait a little longer],\" said {fname}. \"It needs sun, water, and "
        "[a song|love|time].\" So every [morning|evening], {name} and {fname} [sang to the seed|watered the seed|sat beside the "
        "seed].",
        "SIDE",
        "Then, one {weather} morning, there was a [green leaf|small plant]! It grew and grew until it was as tall as the {home}. "
        "After {num2} weeks, it was full of {food}. {name} gave [some|half] of the {food} to {fname} and some to the {job}. \"I "
        "am glad that we waited,\" said {name}."),
    "storm": (
        "One {weather} evening, the wind began to blow, and dark clouds came over the {place}. {name} [closed the windows|lit a "
        "{colour} lantern|made a fire] in the {home}. Soon the rain [fell hard|came down like a river], and there was a loud "
        "{sound}.",
        "Then somebody knocked at the door. It was {fname}, a {ftrait} {fkind}. \"[May I come in|Can I stay here|Is anybody "
        "home]?\" asked {fname}. \"The storm [broke my roof|took my {fhome}|blew away my {thing}].\" \"Of course,\" said {name}. "
        "\"[Come in|Sit by the fire].\"",
        "A little later, a wet {skind} came, and then {num} [mice|birds|frogs]. The {home} was [very full|small], but {name} "
        "[made room for everyone|found a place for them all]. They [ate {meal}|shared {num2} {food}] and listened to the "
        "[rain|wind] under one {colour2} blanket.",
        "In the morning, the sky was clear. {name} and the {skind} helped {fname} to [build a new {fhome}|mend the roof|find the "
        "{thing}]. It took {num} days. \"[You are a good neighbour|Thank you for everything], {name},\" said {fname}, and gave "
        "{him} {num2} {food}."),
    "journey": (
        "One day, {name} [found a letter|heard a story|had a dream] about a {colour} {thing} on the other side of the {place2}. "
        "\"I want to see it,\" {he} said. {He} packed {num} {food} and said goodbye to {his} {fam}.",
        "MEET",
        "\"I am going to find the {colour} {thing},\" said {name}. \"[May I come with you|Can I come too]?\" asked {fname}. "
        "\"[Yes, please|Of course],\" said {name}. So they walked [over the hills|along the river|through the trees] for {num2} "
        "days.",
        "SIDE",
        "[BACK|]At last, they came to the {place2}. There, {spot}, was the {colour} {thing}! But it was [old and broken|only a "
        "drawing|very small]. {name} looked at {fname}, and they began to laugh. \"[We had a wonderful time|I found a friend], "
        "and that is better than a {thing},\" said {name}. Then they [turned around|went home] and told everything to {his} {fam}."),
    "guest": (
        "One day, somebody new came to the {place}. It was {fname}, a {ftrait} {fkind} with a {colour} {thing}. [Nobody talked to "
        "{fname}.|The others were afraid of {fhim}.|\"{Fhe} looks strange,\" said a {skind}.] {Fname} sat alone {spot} and felt "
        "{bad}.",
        "{name} watched {fhim} for a while. Then {he} took {num} {food} and walked over. \"Hello, I am {name},\" {he} said. "
        "\"[Would you like some {food}|Do you want to play]?\" {Fname} [smiled|looked up]. \"Yes, please,\" {fhe} said. \"[I love "
        "{food}|Nobody has asked me before].\"",
        "{Fname} showed {name} the {colour} {thing}. \"[My {ffam} gave it to me|I brought it from far away],\" said {fname}. They "
        "played [with the {thing}|hide and seek|beside the {place2}] until [dinner|the sun went down].",
        "The next day, the {skind} [fell into the pond|lost its way|was stuck in the mud]. Nobody knew what to do, but {fname} "
        "[ran fast|was clever] and used the {colour} {thing} to save the {skind}. \"[We were wrong about you|Please stay with "
        "us], {fname},\" said the {skind}. Now everyone wanted to play with {fname}."),
}
CHOICE = re.compile(r"\[([^\[\]]*)\]")
SLOT = re.compile(r"\{(\w+)\}")


class Story:
    """One story: draws the facts that must stay the same, then expands the templates."""

    def __init__(self, rng):
        self.rng = rng
        self.facts = self.draw_facts()

    def pick(self, items):
        """One item of a sequence, all equally likely."""
        return items[self.rng.randrange(len(items))]

    def person(self, human_chance):
        """A (name, kind, subject pronoun) triple."""
        pronoun = self.pick(("she", "he"))
        if self.rng.random() < human_chance:
            return (self.pick(GIRLS), "girl", "she") if pronoun == "she" else (self.pick(BOYS), "boy", "he")
        return self.pick(PETS), self.pick(ANIMALS), pronoun

    def draw_facts(self):
        """Slot values; words drawn twice from one list are different."""
        rng, f = self.rng, {}
        f["name"], f["kind"], he = self.person(0.55)
        while True:
            f["fname"], f["fkind"], fhe = self.person(0.25)
            if f["fname"] != f["name"] and f["fkind"] != f["kind"]:
                break
        f["he"], f["him"], f["his"], f["himself"] = PRONOUNS[he]
        f["fhe"], f["fhim"], f["fhis"], f["fhimself"] = PRONOUNS[fhe]
        f["trait"], f["ftrait"] = rng.sample(TRAITS, 2)
        f["thing"], f["thing2"] = rng.sample(THINGS, 2)
        f["place"], f["place2"] = rng.sample(PLACES, 2)
        f["colour"], f["colour2"] = rng.sample(COLOURS, 2)
        f["num"], f["num2"] = rng.sample(NUMBERS, 2)
        if rng.random() < 0.08:
            f["num2"] = str(rng.randrange(11, 60))
        f["skind"] = self.pick([a for a in ANIMALS if a not in (f["kind"], f["fkind"])])
        f["spot"], f["spot2"] = (self.expand(s) for s in rng.sample(SPOTS, 2))
        (f["fam"], f["famhe"]), (f["ffam"], _) = rng.sample(FAMILY, 2)
        f["skill"], f["doing"], f["fear"] = self.pick(SKILLS)
        f["home"], f["fhome"] = rng.sample(HOMES, 2)
        f["size"], f["size2"], f["hsize"] = (self.pick(words) for words in (SIZES, SIZES, HOME_SIZES))
        f["meal"] = self.expand(self.pick(MEALS))
        f["fairybye"] = self.expand("[flew away|was gone|went back into the {thing}]", f)
        f["wnum"] = "three"
        f["fthe"] = f["fname"] if f["fkind"] in ("girl", "boy") else f["fname"] + " the " + f["fkind"]
        for key, words in (("weather", WEATHER), ("food", FOODS), ("job", JOBS), ("sound", SOUNDS),
                           ("bad", FEELINGS_BAD), ("good", FEELINGS_GOOD)):
            f[key] = self.pick(words)
        if rng.random() < 0.5:
            f["colour"] = self.pick(MATERIALS)
        return f

    def choose(self, text):
        """Resolve every [choice] from the inside out."""
        while True:
            m = CHOICE.search(text)
            if not m:
                return text
            text = text[:m.start()] + self.pick(m.group(1).split("|")) + text[m.end():]

    def expand(self, text, facts=None):
        """Resolve the choices, then fill every {slot}."""
        def slot(m):
            key = m.group(1)
            low = key[0].lower() + key[1:]
            value = facts[low]
            return value if key == low else value[0].upper() + value[1:]
        return SLOT.sub(slot, self.choose(text))

    def tell(self, plot=None):
        """The whole story as text, paragraphs separated by a blank line."""
        plot = plot or self.pick(sorted(PLOTS))
        f = self.facts
        f["moral"] = self.pick(MORALS[plot])
        side = self.pick(SIDE)
        helped = "{skind}" in side and "hungry" in side
        parts = [self.choose(self.pick(OPENINGS))]
        for part in PLOTS[plot]:
            if part == "MEET":
                part = self.pick(MEET)
            elif part == "SIDE":
                if self.rng.random() < 0.4:
                    helped = False
                    continue
                part = side
            elif part.startswith("[BACK|]"):
                part = (SIDE_BACK if helped else "") + part[7:]
            parts.append(part)
        seen = "{thing2}" in parts[0]
        parts.append(self.pick([e for e in ENDINGS if seen or "{thing2}" not in e]))
        return "\n\n".join(polish(self.expand(p, f)) for p in parts)


def polish(text):
    """Capitals at sentence starts and after opening quotes, "a" before a vowel, single spaces."""
    text = re.sub(r" +", " ", text).strip()
    text = re.sub(r"\b([Aa]) (?=[aeiouAEIOU])", r"\1n ", text)
    text = re.sub(r"(^|(?:[.!?]|[.]\") )([a-z])", lambda m: m.group(1) + m.group(2).upper(), text)
    return re.sub(r"(^|\. |: )\"([a-z])", lambda m: m.group(1) + '"' + m.group(2).upper(), text)


def story(seed):
    """The story with this number."""
    return Story(random.Random(seed * 2654435761 % (1 << 61) + 97)).tell()


def stories(first, count):
    """Yield count stories with consecutive seeds."""
    for i in range(first, first + count):
        yield story(i)


def main():
    """Command line."""
    ap = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ap.add_argument("--count", type=int, default=5, help="number of stories (default 5)")
    ap.add_argument("--seed", type=int, default=1, help="number of the first story (default 1)")
    ap.add_argument("--separator", default="\n\n---\n\n", help="text between stories")
    args = ap.parse_args()
    sys.stdout.write(args.separator.join(stories(args.seed, args.count)) + "\n")


if __name__ == "__main__":
    main()
