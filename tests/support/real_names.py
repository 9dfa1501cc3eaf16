# ruff: noqa: RUF001 (letters that look like others are meant)
"""A thousand names as people really bear them, in many scripts: eight given and five family names of each kind."""

_KINDS = (
    ("Lina Omar Layla Sami Nour Yusuf Hana Karim", "Haddad Khoury Mansour Al-Sayed O'Neill"),
    ("لينا عُمر ليلى سامي نُور يوسف هناء كريم", "حدّاد الخوري منصور السيّد عبدالله"),
    ("مریم علی‌رضا زهرا حسین پریسا کیان نازنین بهرام", "محمّدی حسینی کریم‌زاده رضایی جعفری"),
    ("عائشہ بلال فاطمہ زین ثناء حمزہ ماہ‌نور عمران", "خان چوہدری قریشی ملک صدیقی"),
    ("Анна Иван Ольга Пётр Мария Сергей Наталья Фёдор", "Иванов Смирнова Кузнецов Соловьёва Йовович"),
    ("Оксана Андрій Їжак Наталія Євген Ірина Тарас Ганна", "Шевченко Коваль Бондаренко Лисенко Мельник"),
    ("Élodie François Zoë Noël Hélène Benoît Chloë Jérôme", "Lefèvre Müller D’Angelo Beaulieu-Côté Garçon"),
    ("José María Íñigo Begoña Ángel Lucía Sofía Andrés", "Muñoz Peña Núñez García-López Ibáñez"),
    ("João Conceição Inês Antônio Luís Júlia Tomás Zé", "Gonçalves Araújo Simões Magalhães da\u00a0Silva"),
    ("Jürgen Käthe Björn Sören Günther Änne Jörg Brünhild", "Weiß Schröder Größmann Köhler von\u00a0Hänsel"),
    ("Łukasz Małgorzata Zbigniew Agnieszka Józef Żaneta Świętosław Paweł", "Wiśniewski Wójcik Zając Dąbrowski Gołąb"),
    ("Jiří Božena Šárka Přemysl Tomáš Věra Zdeněk Růžena", "Dvořák Černý Novotná Kříž Šťastný"),
    ("Şeyma İpek Çağla Işık Göksel Ümit Tuğba Emre", "Yılmaz Şahin Öztürk Çelik Kılıç"),
    (
        "Nguyễn Trần Lê Phạm Hoàng Huỳnh Vũ Đặng",
        "Thị\u00a0Ánh Văn\u00a0Đức Minh\u00a0Tuấn Ngọc\u00a0Diệp Thuỷ\u00a0Tiên",
    ),
    ("Αλέξανδρος Ελένη Νίκος Σοφία Γιώργος Μαρία Ηλίας Ιωάννα", "Παπαδόπουλος Νικολάου Αγγελίδης Ψαρρός Οικονόμου"),
    ("דָּוִד שָׂרָה יוסף רִבְקָה משה חַנָּה אליהו תָּמָר", "כהן לֵוִי מזרחי פרידמן בן-דוד"),
    ("प्रिया राहुल श्रुति अर्जुन लक्ष्मी विक्रम ऋषि अन्नपूर्णा", "शर्मा श्रीवास्तव कुमार त्रिपाठी ज्ञानेश्वर"),
    ("শ্রীময়ী রবীন্দ্রনাথ অনন্যা সৌমিত্র লক্ষ্মী তৃষা ঋত্বিক র‍্যাচেল", "চট্টোপাধ্যায় মুখার্জী বন্দ্যোপাধ্যায় ঠাকুর সেনগুপ্ত"),
    ("செல்வி முருகன் லட்சுமி கார்த்திக் ஸ்ரீதேவி அருள் மீனாட்சி ராஜா", "சுப்பிரமணியன் கிருஷ்ணன் அய்யர் பிள்ளை ராமசாமி"),
    ("ශ්‍රීමාල් කුමාරි නිමල් සුජාතා ප්‍රියන්ත චන්ද්‍රිකා රුවන් ඉෂාරා", "පෙරේරා සිල්වා ජයවර්ධන බණ්ඩාර ගුණසේකර"),
    ("สมชาย กัญญา วีระ น้ำฝน ธีรเดช พิมพ์ชนก ปกรณ์ อรุณี", "ศรีสุข จันทร์โอชา วงศ์สวัสดิ์ ชินวัตร ทองดี"),
    ("ကျော်စွာ နှင်းဖြူ အောင် စုစု လျှံလျှံ သီတာ မြင့်မြတ် ခင်", "ဝင်းမောင် လှိုင်ဇော် သန်းထွန်း ဆွေဦး မိုးမြင့်"),
    ("བསྟན་འཛིན རྡོ་རྗེ བློ་བཟང པདྨ་འོད སྒྲོལ་མ ཚེ་རིང ཉི་མ ཀརྨ", "རྒྱ་མཚོ དབང་ཕྱུག བསོད་ནམས རྣམ་རྒྱལ ཕུན་ཚོགས"),
    ("伟 芳 秀英 娜 敏 静 丽 强", "王 李 张 歐陽 司馬"),
    ("さくら 健太 ゆうき 美咲 ハルト 陽菜 翔 愛", "佐藤 鈴木 高\ufe00橋 渡辺 辻\U000e0100"),
)


def real_names() -> list[str]:
    """A thousand of them."""
    return [
        f"{given} {family}".replace("\u00a0", " ")
        for givens, families in _KINDS
        for given in givens.split(" ")
        for family in families.split(" ")
    ]
